//! The command `watch`.

use std::time::Duration;

use crate::{
    args::Watch,
    failure::{End, Failure},
    interrupts::Interrupts,
    probe,
    stores::{existing, url},
    terminal::{is_drawn, put, say},
};

pub(crate) async fn watch(args: &Watch) -> Result<End, Failure> {
    let mut interrupts = Interrupts::listen()?;
    let end = tokio::select! {
        biased;
        () = interrupts.next() => Ok(End::Well),
        end = lines(args) => end,
    };
    if is_drawn() {
        put(b"\n")?;
    }
    end
}

async fn lines(args: &Watch) -> Result<End, Failure> {
    let url = url(&args.store.store)?;
    let sessions = existing(&url)?;
    let is_drawn = is_drawn();
    let mut every = tokio::time::interval(Duration::from_secs(u64::from(args.interval)));
    let (mut before, mut operations_before) = (None, None);
    for _ in 0..args.count.unwrap_or(u64::MAX) {
        every.tick().await;
        let now = sessions.length().await?;
        let operations = probe::ask(&url).await.and_then(|facts| facts.operations);
        let mut line = format!("{}  sessions {now}", sessions.name());
        if let Some(before) = before {
            let change = i128::from(now) - i128::from(before);
            line += &format!("  {change:+}");
        }
        if let (Some(now), Some(before)) = (operations, operations_before) {
            let a_second = u64::saturating_sub(now, before) / u64::from(args.interval);
            line += &format!("  operations {a_second}/s");
        }
        if is_drawn {
            put(format!("\r\u{1b}[K{line}").as_bytes())?;
        } else {
            say(line)?;
        }
        (before, operations_before) = (Some(now), operations);
    }
    Ok(End::Well)
}
