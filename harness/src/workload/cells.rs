//! Which engines run a workload, and in which cells: what the workload asks for against what each engine can do.

use super::diagnostic::{Diagnostic, grouped, is_printable, quote, suggestion};
use super::limits::{DEFAULT_THREADS, MAX_CELLS, MAX_ENGINES, MAX_NAME_CHARS, MAX_THREADS};
use super::literal::{Count, DurabilityClass, Many};
use super::located::{Given, Located, Place};
use super::plan::{CellPlan, KeyPlan, LeftOut, MemoryPlan, PhasePlan, ValuePlan};
use super::planner::narrow;
use super::size;
use super::spec::{EngineList, EngineSpec, OptionsSpec, Spec};
use engines::entry::{Entry, Kind};
use engines::registry::{check, missing_feature, option_names};
use engines::{Capabilities, Durability};
use std::collections::BTreeSet;

/// The most decimal digits of a 64-bit number.
const MAX_DIGITS: u64 = 20;

/// The length of the longest key, bytes.
pub fn key_bytes(key: &KeyPlan) -> u64 {
    key.prefix.len() as u64 + u64::from(key.zero_padding).max(MAX_DIGITS)
}

/// What a workload asks of an engine.
pub struct Needs<'a> {
    key_bytes: u64,
    value_bytes: u64,
    /// The first phase that scans.
    scan: Option<&'a str>,
    /// The first phase that scans downwards.
    reverse: Option<&'a str>,
}

impl<'a> Needs<'a> {
    /// What these keys, values, memory trials and phases ask for.
    pub fn of(
        key: &KeyPlan,
        value: &ValuePlan,
        memory: Option<&MemoryPlan>,
        phases: &'a [PhasePlan],
    ) -> Self {
        let overwritten = memory.and_then(|memory| memory.overwrite.as_ref());
        let overwritten = overwritten.map_or(0, |overwrite| size::greatest(&overwrite.size));
        let scans = || phases.iter().filter(|phase| phase.mix.scan > 0.0);
        Self {
            key_bytes: key_bytes(key),
            value_bytes: size::greatest(&value.size).max(overwritten),
            scan: scans().map(|phase| phase.name.as_str()).next(),
            reverse: scans().find(|phase| phase.scan.reverse).map(|phase| phase.name.as_str()),
        }
    }

    /// What the engine lacks first.
    fn lacking(&self, engine: &Capabilities) -> Option<String> {
        if !engine.writes {
            return Some("it takes no writes, which the load is made of".to_owned());
        }
        if let Some(phase) = self.scan
            && !engine.ordered_scan
        {
            return Some(format!("phase '{phase}' scans, and it keeps no order"));
        }
        if let Some(phase) = self.reverse
            && !engine.reverse_scan
        {
            return Some(format!("phase '{phase}' scans downwards, which it cannot"));
        }
        for (what, asked, limit) in [
            ("keys", self.key_bytes, engine.max_key_bytes as u64),
            ("values", self.value_bytes, engine.max_value_bytes as u64),
        ] {
            if asked > limit {
                let (asked, limit) = (grouped(asked), grouped(limit));
                return Some(format!("{what} are up to {asked} bytes long, over its limit of {limit} bytes"));
            }
        }
        None
    }
}

/// An engine that takes part.
struct Chosen<'a> {
    entry: &'a Entry,
    label: String,
    options: serde_json::Value,
    durability: Vec<Durability>,
}

/// The cells of a workload, and the engines that `all` leaves out.
///
/// # Errors
/// An unknown engine, one that cannot run the workload although it is named, an option it does not take, or too many cells.
pub fn plan(
    spec: &Spec,
    engines: &[&Entry],
    needs: &Needs<'_>,
) -> Result<(Vec<CellPlan>, Vec<LeftOut>), Diagnostic> {
    let threads = threads(&spec.threads)?;
    let durability = durability(&spec.durability)?;
    let list = spec.engines.or(EngineList::All);
    let (chosen, left_out) = match &list.value {
        EngineList::All => all(engines, needs, &durability, list.place)?,
        EngineList::Listed(listed) => (named(listed, list.place, engines, needs, &durability)?, Vec::new()),
    };
    let number: usize = chosen.iter().map(|engine| engine.durability.len() * threads.len()).sum();
    if number > MAX_CELLS {
        let message = format!("the workload has {number} cells, over the limit of {MAX_CELLS}");
        return Err(Diagnostic::new(list.place, message)
            .hint("a cell is an engine × a durability class × a number of threads"));
    }
    let mut cells = Vec::with_capacity(number);
    for engine in &chosen {
        for &class in &engine.durability {
            cells.extend(threads.iter().map(|&threads| CellPlan {
                engine: engine.entry.name.to_owned(),
                label: engine.label.clone(),
                options: engine.options.clone(),
                durability: class,
                threads,
            }));
        }
    }
    Ok((cells, left_out))
}

/// The items of a field, each with its place, none of them twice.
fn distinct<T: Clone + PartialEq>(
    field: &str,
    given: &Given<Many<T>>,
    default: T,
    name: impl Fn(&T) -> String,
) -> Result<Vec<Located<T>>, Diagnostic> {
    let Located { value: Many(mut items), place } = given.or(Many::one(default));
    if items.is_empty() {
        return Err(Diagnostic::new(place, format!("'{field}' is an empty list")));
    }
    for item in &mut items {
        item.place = item.place.or(place);
    }
    for (index, item) in items.iter().enumerate() {
        if items.iter().take(index).any(|earlier| earlier.value == item.value) {
            return Err(Diagnostic::new(item.place, format!("'{field}' lists {} twice", name(&item.value))));
        }
    }
    Ok(items)
}

fn threads(given: &Given<Many<Count>>) -> Result<Vec<u32>, Diagnostic> {
    let items = distinct("threads", given, Count(DEFAULT_THREADS), |count| count.0.to_string())?;
    items
        .into_iter()
        .map(|Located { value: Count(threads), place }| {
            if (1..=MAX_THREADS).contains(&threads) {
                return Ok(narrow(threads));
            }
            let message =
                format!("'threads' must be 1 to {}, not {}", grouped(MAX_THREADS), grouped(threads));
            Err(Diagnostic::new(place, message))
        })
        .collect()
}

fn durability(given: &Given<Many<DurabilityClass>>) -> Result<Vec<Located<Durability>>, Diagnostic> {
    let default = DurabilityClass(Durability::None);
    let items = distinct("durability", given, default, |class| format!("'{}'", class.0))?;
    Ok(items.into_iter().map(|item| Located { value: item.value.0, place: item.place }).collect())
}

/// What an engine offers, for a message.
fn not_offered(class: Durability, offered: &[Durability]) -> String {
    let offered: Vec<_> = offered.iter().map(|class| class.name()).collect();
    format!("durability '{class}' is not offered (offered: {})", offered.join(", "))
}

/// Every own engine that can, and why the others cannot.
fn all<'a>(
    engines: &[&'a Entry],
    needs: &Needs<'_>,
    durability: &[Located<Durability>],
    place: Place,
) -> Result<(Vec<Chosen<'a>>, Vec<LeftOut>), Diagnostic> {
    let (mut chosen, mut left_out) = (Vec::new(), Vec::new());
    for &entry in engines.iter().filter(|entry| entry.kind == Kind::Own) {
        if let Some(reason) = needs.lacking(&entry.capabilities) {
            left_out.push(LeftOut { engine: entry.name.to_owned(), reason });
            continue;
        }
        let offered = entry.capabilities.durability;
        let (kept, refused): (Vec<_>, Vec<_>) =
            durability.iter().map(|class| class.value).partition(|class| offered.contains(class));
        left_out.extend(
            refused
                .into_iter()
                .map(|class| LeftOut { engine: entry.name.to_owned(), reason: not_offered(class, offered) }),
        );
        if !kept.is_empty() {
            chosen.push(Chosen {
                entry,
                label: entry.name.to_owned(),
                options: serde_json::Value::Object(serde_json::Map::new()),
                durability: kept,
            });
        }
    }
    if chosen.is_empty() {
        let reasons: Vec<_> =
            left_out.iter().map(|left| format!("{}: {}", left.engine, left.reason)).collect();
        let diagnostic = Diagnostic::new(place.or(Place::START), "no engine can run this workload");
        return Err(if reasons.is_empty() { diagnostic } else { diagnostic.hint(reasons.join("; ")) });
    }
    Ok((chosen, left_out))
}

/// The engines of a list, each of which must be able to run the workload.
fn named<'a>(
    listed: &[Located<EngineSpec>],
    place: Place,
    engines: &[&'a Entry],
    needs: &Needs<'_>,
    durability: &[Located<Durability>],
) -> Result<Vec<Chosen<'a>>, Diagnostic> {
    if !(1..=MAX_ENGINES).contains(&listed.len()) {
        let message = format!("'engines' must list 1 to {MAX_ENGINES} engines, not {}", listed.len());
        return Err(Diagnostic::new(place, message));
    }
    let mut labels = BTreeSet::new();
    let mut chosen = Vec::with_capacity(listed.len());
    for item in listed {
        let place = item.value.engine.place.or(item.place).or(place);
        let spec = &item.value;
        let entry = find(&spec.engine.value, place, engines)?;
        let label = label(spec, place)?;
        if !labels.insert(label.value.clone()) {
            let message = format!("two engines are called {}", quote(&label.value));
            return Err(Diagnostic::new(label.place, message)
                .hint("give one of them a label, as { engine: …, label: … }"));
        }
        let cannot = |place, reason| {
            Diagnostic::new(place, format!("engine '{}' cannot run this workload: {reason}", entry.name))
        };
        for class in durability {
            let offered = entry.capabilities.durability;
            if !offered.contains(&class.value) {
                let place = class.place.or(place);
                return Err(cannot(place, not_offered(class.value, offered)));
            }
        }
        let (options, capabilities) = options(entry, spec)?;
        if let Some(reason) = needs.lacking(&capabilities) {
            return Err(cannot(place, reason));
        }
        chosen.push(Chosen {
            entry,
            label: label.value,
            options,
            durability: durability.iter().map(|class| class.value).collect(),
        });
    }
    Ok(chosen)
}

fn find<'a>(name: &str, place: Place, engines: &[&'a Entry]) -> Result<&'a Entry, Diagnostic> {
    if let Some(entry) = engines.iter().find(|entry| entry.name == name) {
        return Ok(entry);
    }
    if name == "all" {
        return Err(Diagnostic::new(place, "'all' stands alone, as engines: all; it is not one of a list"));
    }
    if let Some(feature) = missing_feature(name) {
        let message =
            format!("engine {} is not built in: it needs the cargo feature '{feature}'", quote(name));
        return Err(Diagnostic::new(place, message)
            .hint(format!("build with it, as in `cargo run --release --features {feature} -- run …`")));
    }
    let names = || engines.iter().map(|entry| entry.name);
    let message = format!("unknown engine {}{}", quote(name), suggestion(name, names()));
    Err(Diagnostic::new(place, message).hint(format!("there are {}", names().collect::<Vec<_>>().join(", "))))
}

fn label(spec: &EngineSpec, place: Place) -> Result<Located<String>, Diagnostic> {
    let mut label = spec.label.or(spec.engine.value.clone());
    label.place = label.place.or(place);
    let length = label.value.chars().count();
    let shows = label.value.chars().all(is_printable) && label.value.trim() == label.value;
    if !(1..=MAX_NAME_CHARS).contains(&length) || !shows {
        let message = format!(
            "'label' must be 1 to {MAX_NAME_CHARS} printable characters without space at its ends, not {}",
            quote(&label.value)
        );
        return Err(Diagnostic::new(label.place, message));
    }
    Ok(label)
}

/// The options of an engine as JSON, taken by the engine, and what it can do with them.
fn options(entry: &Entry, spec: &EngineSpec) -> Result<(serde_json::Value, Capabilities), Diagnostic> {
    let Located { value: OptionsSpec(written), place } = spec.options.or(OptionsSpec::default());
    let known = || option_names(entry);
    if let Some((name, value)) = written.iter().find(|(name, _)| !known().any(|known| known == name)) {
        let message =
            format!("engine '{}' has no option {}{}", entry.name, quote(name), suggestion(name, known()));
        let names: Vec<_> = known().collect();
        let hint = match names.as_slice() {
            [] => "it has no options".to_owned(),
            names => format!("its options are {}", names.join(", ")),
        };
        return Err(Diagnostic::new(value.place, message).hint(hint));
    }
    let object = |options: &[(String, Located<serde_json::Value>)]| {
        options.iter().map(|(name, value)| (name.clone(), value.value.clone())).collect::<serde_json::Value>()
    };
    let checked = |options: serde_json::Value| check(entry, &options);
    let all = object(&written);
    if written.is_empty() {
        return Ok((all, entry.capabilities));
    }
    match checked(all.clone()) {
        Ok(capabilities) => Ok((all, capabilities)),
        Err(error) => {
            // The option that is refused on its own is to blame; if each is taken, they do not go together.
            let alone = written.iter().find_map(|option| {
                let error = checked(object(std::slice::from_ref(option))).err()?;
                Some((option.1.place, error))
            });
            let (place, error) = alone.unwrap_or((place, error));
            Err(Diagnostic::new(place, error.to_string()))
        }
    }
}
