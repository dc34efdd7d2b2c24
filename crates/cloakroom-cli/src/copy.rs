//! The command `copy`.

use std::{
    io::{self, IsTerminal},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Instant,
};

use cloakroom::{CopyOptions, CopyProgress, Error, ExpressSession, Migrating, is_moving};
use futures::stream::StreamExt;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{
    args::Copy,
    failure::{End, Failure, is_of_one_session},
    interrupts::Interrupts,
    stores::{existing, fold_log, for_dry_run, reach, store},
    terminal::{conclude, note},
};

pub(crate) async fn copy(args: &Copy) -> Result<End, Failure> {
    let job = Job::default();
    let mut interrupts = Interrupts::listen()?;
    tokio::select! {
        biased;
        () = interrupts.next() => {
            job.tell_counts(args)?;
            note("cloakroom: interrupted; start it again to continue");
            Ok(End::Differs)
        }
        end = work(args, &job) => end,
    }
}

/// What is told when the copy is over, or interrupted.
#[derive(Default)]
struct Job {
    so_far: Mutex<Counts>,
    bar: OnceLock<(ProgressBar, Instant)>,
    is_told: AtomicBool,
}

impl Job {
    /// Prints the counts, once, if the copy has begun.
    fn tell_counts(&self, args: &Copy) -> Result<(), Failure> {
        let Some((bar, start)) = self.bar.get() else { return Ok(()) };
        if self.is_told.swap(true, Relaxed) {
            return Ok(());
        }
        bar.finish_and_clear();
        let counts = self.counts();
        let seconds = start.elapsed().as_secs_f64();
        let verb = if args.dry_run {
            "would copy"
        } else if args.moves {
            "moved"
        } else {
            "copied"
        };
        conclude(format_args!("{verb} {counts}, in {seconds:.1} s"))
    }

    fn counts(&self) -> Counts {
        *self.so_far.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn work(args: &Copy, job: &Job) -> Result<End, Failure> {
    let from = existing(&args.from)?;
    let to = if args.dry_run { for_dry_run(&args.to).await? } else { store(&args.to)? };
    // A store that cannot be reached is told before the bar is drawn.
    reach(&to).await?;
    let total = from.length().await?;
    let (bar, _) = job.bar.get_or_init(|| (bar(total), Instant::now()));
    let outcome = if args.moves {
        move_all(&from, &to, usize::from(args.concurrency), bar, &job.so_far).await
    } else {
        let options = CopyOptions::default()
            .with_dry_run(args.dry_run)
            .with_overwrite(args.overwrite)
            .with_concurrency(usize::from(args.concurrency));
        copy_all(&from, &to, &options, bar, &job.so_far).await
    };
    job.tell_counts(args)?;
    outcome?;
    let is_verified = !args.verify || is_verified(&from, &to, total).await?;
    if !args.dry_run {
        fold_log(&args.to).await?;
    }
    Ok(End::well_if(is_verified && job.counts().failed == 0))
}

fn bar(total: u64) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    let template = "{bar:30} {pos} of {len}, {per_sec}, {eta} to go";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// What was done so far.
#[derive(Clone, Copy, Default)]
struct Counts {
    copied: u64,
    skipped: u64,
    kept: u64,
    replaced: u64,
    gone: u64,
    failed: u64,
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { copied, skipped, failed, .. } = self;
        write!(f, "{copied}, skipped {skipped}, failed {failed}")?;
        for (count, what) in [
            (self.kept, "kept as they are in the other store"),
            (self.replaced, "replaced"),
            (self.gone, "ended meanwhile"),
        ] {
            if count > 0 {
                write!(f, ", {what} {count}")?;
            }
        }
        Ok(())
    }
}

async fn copy_all(
    from: &ExpressSession,
    to: &ExpressSession,
    options: &CopyOptions,
    bar: &ProgressBar,
    so_far: &Mutex<Counts>,
) -> Result<(), Failure> {
    let tell = |done: &CopyProgress| {
        bar.set_position(done.total());
        *so_far.lock().unwrap_or_else(PoisonError::into_inner) = Counts {
            copied: done.copied,
            skipped: done.skipped,
            kept: done.kept,
            replaced: done.replaced,
            gone: done.gone,
            failed: done.failed,
        };
    };
    let done = cloakroom::copy(from, to, options, tell).await?;
    if let Some(why) = &done.why {
        note(format_args!("cloakroom: the first that failed: {}", Told(why)));
    }
    Ok(())
}

/// Moves all sessions by the steps of a handle that the application may use at the same time.
async fn move_all(
    from: &ExpressSession,
    to: &ExpressSession,
    concurrency: usize,
    bar: &ProgressBar,
    so_far: &Mutex<Counts>,
) -> Result<(), Failure> {
    let migrating = Migrating::new(from.clone(), to.clone());
    migrating.check_distinct().await?;
    migrating.check_apart().await?;
    let migrating = &migrating;
    let (mut moved, mut gone, mut failed) = (0, 0, 0);
    let mut all = from
        .all()
        .map(|listed| async move {
            let listed = listed?;
            // A move that another process has begun gets the time of a visit, as that one would give.
            let time_left = listed.time_left.filter(|_| !is_moving(&listed.session));
            migrating.move_session(&listed.id, time_left).await
        })
        .buffer_unordered(concurrency);
    while let Some(outcome) = all.next().await {
        match outcome {
            Ok(true) => moved += 1,
            Ok(false) => gone += 1,
            Err(error) if is_of_one_session(&error) => failed += 1,
            Err(error) => return Err(error.into()),
        }
        bar.inc(1);
        let counts = Counts { copied: moved, gone, failed, ..Counts::default() };
        *so_far.lock().unwrap_or_else(PoisonError::into_inner) = counts;
    }
    Ok(())
}

async fn is_verified(
    from: &ExpressSession,
    to: &ExpressSession,
    total: u64,
) -> Result<bool, Failure> {
    let bar = bar(total);
    let differing =
        cloakroom::verify_copy(from, to, &CopyOptions::default(), |seen| bar.set_position(seen))
            .await;
    bar.finish_and_clear();
    let differing = differing?;
    conclude(format_args!("verified; missing, different or unreadable: {differing}"))?;
    Ok(differing == 0)
}

/// An error with its causes.
struct Told<'a>(&'a Error);

impl std::fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        match std::error::Error::source(self.0) {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}
