//! The order of the measurements.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use tcpls_benches::{Error, Identity};

use crate::arguments::Arguments;
use crate::figure::{Failure, Figures, Results};
use crate::subject::{self, Outcome, Subject};
use crate::workloads::Workload;
use crate::{memory, memory::Idle, meter};

/// A measurement that takes longer has failed.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);
/// Programs that count memory at a time.
const AT_A_TIME: usize = 4;
/// What the transport of the last measurement may take to wind up.
const SETTLE: Duration = Duration::from_millis(20);

/// Measures all that is asked for.
pub(crate) fn run(arguments: &Arguments) -> Result<Results, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(arguments.workers)
        .enable_all()
        .build()?;
    let identity = Arc::new(Identity::generate()?);
    let mut subjects = subject::all();
    subjects.retain(|subject| arguments.wants_peer(subject.name()));
    let workloads: Vec<_> = Workload::ALL
        .into_iter()
        .filter(|workload| workload.name().contains(&arguments.only))
        .collect();
    let mut results = Results::default();
    let start = meter::now();
    for round in 1..=arguments.rounds() {
        for workload in &workloads {
            for subject in &subjects {
                let seconds = start.elapsed().as_secs();
                show(&format!(
                    "round {round} of {}, {seconds} s: {}, {}",
                    arguments.rounds(),
                    workload.name(),
                    subject.name()
                ));
                let measuring = Arc::clone(subject).measure(
                    *workload,
                    arguments.effort(),
                    Arc::clone(&identity),
                );
                let outcome = runtime.block_on(limited(measuring));
                note(&mut results, workload.name(), &**subject, outcome);
            }
        }
    }
    for kind in memory::KINDS {
        if kind.name().contains(&arguments.only) {
            show(kind.name());
            measure_memory(kind, &subjects, arguments, &mut results);
        }
    }
    show("");
    Ok(results)
}

/// Several at a time: how long they take is no matter, and mostly they wait.
fn measure_memory(
    kind: Idle,
    subjects: &[Arc<dyn Subject>],
    arguments: &Arguments,
    results: &mut Results,
) {
    let effort = arguments.effort();
    for some in subjects.chunks(AT_A_TIME) {
        let outcomes = std::thread::scope(|scope| {
            let measure = |subject: &Arc<dyn Subject>| {
                let name = subject.name();
                scope.spawn(move || memory::measure(kind, name, effort))
            };
            let started: Vec<_> = some.iter().map(measure).collect();
            let finished = started.into_iter().map(|thread| {
                let outcome = thread.join();
                outcome.unwrap_or_else(|_| Err("somebody panicked".into()))
            });
            finished.collect::<Vec<_>>()
        });
        for (subject, outcome) in some.iter().zip(outcomes) {
            note(results, kind.name(), &**subject, outcome);
        }
    }
}

/// Does it in a task, so that it runs on the same threads as all that it starts.
async fn limited(measuring: impl Future<Output = Outcome> + Send + 'static) -> Outcome {
    let task = tokio::spawn(tokio::time::timeout(LIMIT, measuring));
    let outcome: Option<Figures> = task.await?.map_err(|_| "took too long")??;
    tokio::time::sleep(SETTLE).await;
    Ok(outcome)
}

fn note(results: &mut Results, workload: &'static str, subject: &dyn Subject, outcome: Outcome) {
    match outcome {
        Ok(Some(figures)) => results.add(workload, subject.name(), &figures),
        Ok(None) => {}
        Err(error) => {
            let failure = Failure {
                workload,
                peer: subject.name(),
                error: format!("{error} ({error:?})"),
            };
            show("");
            eprintln!("failed: {failure}");
            results.failures.push(failure);
        }
    }
}

/// Says on the terminal's last line how far it is.
fn show(progress: &str) {
    eprint!("\r\x1b[K{progress}");
    let _unseen = std::io::stderr().flush();
}
