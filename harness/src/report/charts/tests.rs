//! Every chart from made-up results: what it shows, and that both painters draw it.

use super::super::paint;
use super::super::scene::Shape;
use super::*;
use crate::results::synthetic::Synthetic;

fn all(sweep: &SweepResult) -> Vec<Chart> {
    let summaries = figures(sweep);
    let study = Study::new(sweep, &summaries);
    sections(&study).into_iter().flat_map(|(phase, durability)| charts(&study, phase, durability)).collect()
}

fn texts(chart: &Chart) -> Vec<String> {
    let text = |shape: &Shape| match shape {
        Shape::Text { text, .. } => Some(text.clone()),
        _ => None,
    };
    chart.scene.shapes.iter().filter_map(text).collect()
}

#[test]
fn every_phase_and_thread_count_has_its_charts() {
    let sweep = Synthetic { threads: vec![1, 4], trials: 2, ..Synthetic::default() }.build();
    let charts = all(&sweep);
    let names: Vec<&str> = charts.iter().map(|chart| chart.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "mixed-ranking",
            "mixed-threads",
            "mixed-latency-read-4-threads",
            "mixed-latency-update-4-threads",
            "mixed-time-4-threads",
            "mixed-latency-read-1-thread",
            "mixed-latency-update-1-thread",
            "mixed-time-1-thread",
            "load-ranking",
            "load-threads",
            "load-latency-insert-4-threads",
            "load-latency-insert-1-thread",
        ]
    );
    for chart in &charts {
        assert!(
            !chart.title.is_empty() && chart.summary.ends_with('.'),
            "{}: {:?}",
            chart.name,
            chart.summary
        );
        assert!(
            !chart.rows.is_empty() && chart.rows.iter().all(|row| row.len() == chart.columns.len()),
            "{}",
            chart.name
        );
        let texts = texts(chart);
        for label in ["hash", "btree", "rbtree", "lsm-memtable"] {
            assert!(texts.iter().any(|text| text == label), "{} lacks {label}", chart.name);
        }
        assert_eq!(
            chart.secondary,
            chart.name.contains("1-thread") || chart.name.starts_with("load-l"),
            "{}",
            chart.name
        );
    }
}

#[test]
fn nothing_is_drawn_outside_of_the_sheet() {
    let engines =
        (0..11).map(|n| (format!("engine-{n}-with-a-rather-long-name-{n}"), 100.0 + 5.0 * f64::from(n), 0.1));
    let sweep =
        Synthetic { engines: engines.collect(), threads: vec![1, 8], trials: 3, ..Synthetic::default() }
            .build();
    for chart in all(&sweep) {
        let Scene { width, height, shapes } = &chart.scene;
        let mut points = Vec::new();
        for shape in shapes {
            match shape {
                Shape::Line { points: own, .. } | Shape::Area { points: own, .. } => points.extend(own),
                Shape::Disc { center, .. } => points.push(*center),
                Shape::Text { at, anchor, size, bold, text, .. } => {
                    let wide = super::super::font::width(text, *size, *bold);
                    let start = match anchor {
                        super::super::scene::Anchor::Start => at.0,
                        super::super::scene::Anchor::Middle => at.0 - wide / 2.0,
                        super::super::scene::Anchor::End => at.0 - wide,
                    };
                    points.extend([(start, at.1 - size / 2.0), (start + wide, at.1 + size / 2.0)]);
                }
            }
        }
        for (x, y) in points {
            assert!(
                (-0.5..=width + 0.5).contains(&x) && (-0.5..=height + 0.5).contains(&y),
                "{}: {x}, {y}",
                chart.name
            );
        }
        assert!(
            chart.name.contains("ranking") || chart.summary.contains("3 more engines"),
            "{}",
            chart.summary
        );
    }
}

#[test]
fn engines_that_failed_or_were_wrong_are_named_and_not_drawn() {
    let mut sweep = Synthetic { threads: vec![1], trials: 2, ..Synthetic::default() }.build();
    for trial in &mut sweep.trials {
        match trial.label.as_str() {
            "hash" => trial.phases[1].operations.values_mut().next().unwrap().wrong = 3,
            "btree" => {
                trial.phases.truncate(1);
                trial.error = Some("broke".to_owned());
            }
            _ => {}
        }
    }
    let charts = all(&sweep);
    let ranking = texts(&charts[0]);
    assert!(ranking.contains(&"gave wrong answers: not ranked".to_owned()));
    assert!(ranking.contains(&"no trial finished this phase".to_owned()));
    assert!(charts[0].summary.contains("rbtree is fastest"), "{}", charts[0].summary);
    for chart in
        charts.iter().filter(|chart| chart.name.starts_with("mixed") && !chart.name.contains("ranking"))
    {
        assert!(!texts(chart).iter().any(|text| text == "hash" || text == "btree"), "{}", chart.name);
    }
}

#[test]
fn charts_follow_the_figures() {
    let sweep = Synthetic { threads: vec![1], ..Synthetic::default() }.build();
    let charts = all(&sweep);
    assert!(charts[0].summary.starts_with("At 1 thread hash is fastest with 10."), "{}", charts[0].summary);
    assert!(
        charts[0].summary.contains("next is btree with 59 %")
            || charts[0].summary.contains("next is btree with 6")
    );
    let latency = charts.iter().find(|chart| chart.name.contains("latency-read")).unwrap();
    assert!(latency.summary.starts_with("hash is lowest at the median ("), "{}", latency.summary);
    let time = charts.iter().find(|chart| chart.name.contains("time")).unwrap();
    assert_eq!(time.rows.len(), 50, "every full bin is a row");
    for chart in &charts {
        let svg = paint::svg(&chart.scene).unwrap();
        assert!(!svg.contains("NaN") && svg.len() > 2_000, "{}", chart.name);
    }
}
