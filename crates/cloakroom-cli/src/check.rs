//! The command `check`: the conformance suite on stores, each in a place of its own.

use std::pin::pin;

use cloakroom::conformance::{Options, Report, StoreUnderTest, run_with};

use crate::{
    args::Check,
    failure::{End, Failure},
    interrupts::Interrupts,
    stores::{store, url},
    terminal::{conclude, note},
};

mod gate;
mod place;
mod removal;
mod report;

use place::Place;

/// A store and what the suite says about it.
struct Checked {
    name: String,
    report: Report,
}

pub(crate) async fn check(args: &Check) -> Result<End, Failure> {
    // All URLs are read before anything is written.
    let mut places = Vec::new();
    for name in &args.stores {
        let sessions = store(name)?;
        let label = label(sessions.name(), &places);
        places.push((label, Place::new(&url(name)?, sessions)?));
    }
    let mut interrupts = Interrupts::listen()?;
    let reachable = async {
        for (_, place) in &places {
            place.reach().await?;
        }
        Ok::<(), Failure>(())
    };
    tokio::select! {
        biased;
        () = interrupts.next() => {
            note("cloakroom: interrupted");
            return Ok(End::Differs);
        }
        outcome = reachable => outcome?,
    }
    let mut checked = Vec::new();
    for (name, place) in places {
        let report = tokio::select! {
            biased;
            () = interrupts.next() => None,
            report = suite(&place) => Some(report),
        };
        // Even if the place cannot be used, a part of it may have been created.
        let mut is_interrupted = report.is_none();
        let mut removal = pin!(place.remove());
        loop {
            if is_interrupted {
                note("cloakroom: interrupted; removing what the suite has stored");
            }
            tokio::select! {
                biased;
                () = interrupts.next() => {}
                removed = &mut removal => {
                    // If the place cannot be used, that is the error, and not what follows from it.
                    if !matches!(report, Some(Err(_))) {
                        removed?;
                    }
                    break;
                }
            }
            if is_interrupted {
                note(format_args!("cloakroom: interrupted again; left behind: {}*", place.name()));
                return Ok(End::Differs);
            }
            is_interrupted = true;
        }
        match report {
            Some(report) if !is_interrupted => checked.push(Checked { name, report: report? }),
            _ => {
                note("cloakroom: what the suite had stored is removed");
                return Ok(End::Differs);
            }
        }
    }
    conclude(report::print(&checked, args.format))?;
    Ok(End::well_if(checked.iter().all(|one| one.report.is_conformant())))
}

/// Names each store by its kind, and the second of a kind by a number, too.
fn label(name: &str, others: &[(String, Place)]) -> String {
    let is_taken = |label: &str| others.iter().any(|(other, _)| other == label);
    let mut labels = (1_u32..).map(|number| match number {
        1 => name.to_owned(),
        number => format!("{name} {number}"),
    });
    labels.find(|label| !is_taken(label)).unwrap_or_default()
}

async fn suite(place: &Place) -> Result<Report, Failure> {
    place.begin().await?;
    // A store finds out by a panic that a runtime has no timers, and the suite reports a case that panics.
    std::panic::set_hook(Box::new(|_| {}));
    let place = place.clone();
    let mut options = Options::default();
    options.at_once = place.at_once();
    let report = run_with(options, move || {
        let (own, beside) = (place.next(), place.next());
        let is_shared = place.is_shared();
        let place = place.clone();
        async move {
            let subject = StoreUnderTest::new(place.open(&own)).with_neighbour(place.open(&beside));
            if is_shared { subject.with_second_handle(place.open(&own)) } else { subject }
        }
    });
    Ok(report.await)
}
