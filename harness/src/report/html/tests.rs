//! The page: what it says, that nothing in it is active, and that it asks for nothing.

use super::super::charts::figures;
use super::*;
use crate::results::model::SweepResult;
use crate::results::synthetic::Synthetic;
use engines::Durability;

fn render(sweeps: &[SweepResult]) -> (String, Vec<Picture>) {
    let all: Vec<_> = sweeps.iter().map(figures).collect();
    let studies: Vec<Study<'_>> =
        sweeps.iter().zip(&all).map(|(sweep, figures)| Study::new(sweep, figures)).collect();
    page(&studies).unwrap()
}

fn small() -> Synthetic {
    Synthetic { threads: vec![1, 2], trials: 3, bins: 12, ..Synthetic::default() }
}

#[test]
fn the_page_holds_every_engine_and_every_chart_with_its_words() {
    let (page, pictures) = render(&[small().build()]);
    for label in ["hash", "btree", "rbtree", "lsm-memtable"] {
        assert!(page.contains(&format!("<bdi>{label}</bdi>")), "{label}");
    }
    assert!(pictures.len() >= 8);
    let figures: Vec<&str> = page.split("<figure id=\"").skip(1).collect();
    assert_eq!(figures.len(), pictures.len());
    for (figure, picture) in figures.iter().zip(&pictures) {
        let id = figure.split('"').next().unwrap();
        let figure = figure.split("</figure>").next().unwrap();
        let title = &picture.chart.title;
        assert!(figure.contains(&format!("<h4 id=\"{id}-t\">{title}</h4>")), "{title}");
        assert!(figure.contains(&format!("aria-labelledby=\"{id}-t\" aria-describedby=\"{id}-s\"")));
        assert!(
            figure.contains("<svg class=\"chart\"")
                && figure.contains("<details>")
                && figure.contains("scope=\"col\"")
        );
        let csv = figure.split("base64,").nth(1).unwrap().split('"').next().unwrap();
        let csv = String::from_utf8(STANDARD.decode(csv).unwrap()).unwrap();
        assert_eq!(csv.lines().count(), picture.chart.rows.len() + 1);
        assert!(figure.contains(&picture.file));
    }
    let ids: Vec<&str> = page.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let unique: std::collections::BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), unique.len(), "ids are unique");
    for target in page.split("href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(unique.contains(target), "{target} is linked and not there");
    }
}

#[test]
fn the_same_workload_twice_has_pictures_of_its_own() {
    let (_, pictures) = render(&[small().build(), small().build()]);
    let files: std::collections::BTreeSet<&str> =
        pictures.iter().map(|picture| picture.file.as_str()).collect();
    assert_eq!(files.len(), pictures.len());
    assert!(files.contains("ycsb-a-mixed-ranking.png") && files.contains("ycsb-a-2-mixed-ranking.png"));
}

#[test]
fn the_page_asks_for_nothing_and_runs_nothing() {
    let (page, _) = render(&[small().build(), small().build()]);
    assert!(page.contains("default-src 'none'; style-src 'unsafe-inline'; img-src data:"));
    assert!(is_ours(&page.as_bytes()[..4096]) && !is_ours(b"<!doctype html><title>mine</title>"));
    let lower = page.to_lowercase();
    for attribute in ["src=", "href=", "action=", "srcset=", "poster=", "data="] {
        for (place, _) in lower.match_indices(&format!(" {attribute}")) {
            let value = lower[place + attribute.len() + 1..].trim_start_matches(['"', '\'']);
            assert!(
                value.starts_with('#') || value.starts_with("data:text/csv"),
                "{}",
                &value[..value.len().min(60)]
            );
        }
    }
    for forbidden in [
        "<script",
        "javascript:",
        "<iframe",
        "<object",
        "<embed",
        "<link",
        "@import",
        "url(",
        "http://",
        "onload=",
    ] {
        assert!(!lower.contains(forbidden), "{forbidden}");
    }
}

#[test]
fn reopening_is_shown_where_something_was_reopened() {
    let words = "<caption>Median seconds over trials";
    assert!(!render(&[small().build()]).0.contains(words));
    let durability = vec![Durability::Buffered];
    let (page, _) = render(&[Synthetic { durability, ..small() }.build()]);
    assert!(
        page.contains(words) && page.contains("href=\"#w1-reopened\"") && page.contains("id=\"w1-reopened\"")
    );
    assert!(page.contains("<td class=\"t\">buffered</td><td>1</td><td>0.125000</td>"), "the first row");
}

#[test]
fn names_are_inert_wherever_they_come_from() {
    let evil = "</script></style></svg><img src=x onerror=alert(1)>\"'&\u{202e}";
    let mut sweep = small().build();
    for trial in &mut sweep.trials {
        if trial.label == "hash" {
            trial.label = evil.to_owned();
            trial.error = Some(evil.to_owned());
        }
        trial.phases[1].name = evil.to_owned();
    }
    for cell in &mut sweep.plan.cells {
        if cell.label == "hash" {
            cell.label = evil.to_owned();
            cell.engine = evil.to_owned();
            cell.options = serde_json::json!({ evil: evil });
        }
    }
    sweep.plan.phases[0].name = evil.to_owned();
    sweep.plan.name = evil.to_owned();
    sweep.plan.description = evil.to_owned();
    sweep.plan.key.prefix = evil.to_owned();
    sweep.plan.left_out[0].engine = evil.to_owned();
    sweep.plan.left_out[0].reason = evil.to_owned();
    let environment = &mut sweep.environment;
    for text in [
        &mut environment.hostname,
        &mut environment.kernel,
        &mut environment.cpu_model,
        &mut environment.rustc,
    ] {
        *text = evil.to_owned();
    }
    let (page, pictures) = render(&[sweep]);
    assert!(!page.contains("<img") && !page.contains("</script") && !page.contains('\u{202e}'));
    assert_eq!(page.matches("</style>").count(), 1);
    assert_eq!(page.matches("<svg ").count(), page.matches("</svg>").count());
    assert!(page.contains("‹U+202E›"), "the mark is shown");
    // Inside a tag every attribute is one the template wrote: no quote of the name ended a value early.
    assert!(!page.contains("\"'&") && !page.contains("onerror=alert(1)>"));
    for picture in pictures {
        assert!(!picture.file.contains(['/', '<', '"', ' ']), "{}", picture.file);
    }
}

#[test]
fn a_sweep_without_any_figure_still_makes_a_page() {
    let mut sweep = small().build();
    for trial in &mut sweep.trials {
        trial.phases.clear();
        trial.error = Some("nothing works".to_owned());
    }
    sweep.complete = false;
    let (page, _) = render(&[sweep]);
    assert!(
        page.contains("no engine finished the phase")
            && page.contains("Incomplete")
            && page.contains("nothing works")
    );
    assert!(!page.contains("NaN"));
}
