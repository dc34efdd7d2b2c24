//! The command `doctor`.

use std::time::{Duration, Instant};

use cloakroom::{
    Created, ErrorKind, ExpressSession, SessionData, Store, Touched, Updated, generate_id,
};

use crate::{
    args::Doctor,
    failure::{End, Failure},
    one::now_ms,
    probe,
    stores::{existing, reach, scheme, url},
    terminal::{conclude, plain, span},
};

/// A clock that is further away than this ends sessions noticeably early or late.
const APART_MS: u64 = 2_000;

pub(crate) async fn doctor(args: &Doctor) -> Result<End, Failure> {
    let url = url(&args.store.store)?;
    let sessions = existing(&url)?;
    let start = Instant::now();
    reach(&sessions).await?;
    let micros = start.elapsed().as_micros();
    let mut is_well = true;
    let mut line = |name: &str, text: &str, is_problem: bool| {
        is_well &= !is_problem;
        let mark = if is_problem { "!" } else { " " };
        conclude(format_args!("{mark} {name:<20} {}", plain(text)))
    };
    line("reachable", &format!("yes, {:.1} ms for the first answer", micros as f64 / 1e3), false)?;
    match probe::ask(&url).await {
        None => line("server", "does not say, or no server is involved", false)?,
        Some(facts) => {
            line("server", &facts.server, false)?;
            if let Some(mode) = &facts.mode {
                line("mode", mode, false)?;
            }
            if let Some(clock_ms) = facts.clock_ms {
                let apart_ms = clock_ms.abs_diff(now_ms());
                let text =
                    format!("{} apart from this machine", span(Duration::from_millis(apart_ms)));
                line("clock", &text, apart_ms > APART_MS)?;
            }
            for (name, text, is_problem) in &facts.notes {
                line(name, text, *is_problem)?;
            }
        }
    }
    let (text, is_problem) = conditional_writes(&sessions).await?;
    line("conditional writes", text, is_problem)?;
    let lists = if Store::enumerate(&sessions).is_some() { "yes" } else { "no" };
    line("listings", lists, false)?;
    line("in Express", express(&url), false)?;
    Ok(End::well_if(is_well))
}

/// Creates, changes and destroys a session that nobody else knows.
async fn conditional_writes(sessions: &ExpressSession) -> Result<(&'static str, bool), Failure> {
    if Store::atomic(sessions).is_none() {
        return Ok(("no: the store does not offer them", true));
    }
    let sid = generate_id()?;
    let mut session = SessionData::new();
    session.set_max_age(Duration::from_secs(60), now_ms())?;
    let outcome = async {
        if !matches!(sessions.create(&sid, &session).await?, Created::Stored(_)) {
            return Ok("no: a new session could not be created");
        }
        let Some(mut read) = sessions.get(&sid).await? else {
            return Ok("no: a session that was stored is gone");
        };
        read.insert("doctor", true)?;
        match sessions.update(&sid, &read).await? {
            Updated::Stored(_) => {}
            _ => return Ok("no: an update without a conflict was refused"),
        }
        Ok(match sessions.touch(&sid, &read).await? {
            Touched::NotOffered => "yes, but not touch",
            _ => "yes",
        })
    };
    let outcome: Result<&'static str, cloakroom::Error> = outcome.await;
    sessions.destroy(&sid).await?;
    match outcome {
        Ok(text) => Ok((text, text.starts_with("no"))),
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            Ok(("no: the server has turned them off", true))
        }
        Err(error) => Err(error.into()),
    }
}

/// What an Express app needs to use the same sessions.
fn express(url: &str) -> &'static str {
    match &*scheme(url) {
        "memcached" => "connect-memcached, with the same hosts and prefix",
        "mongodb" | "mongodb+srv" => "connect-mongo, with the same mongoUrl and collectionName",
        "file" => "session-file-store, with the same path",
        "postgres" | "postgresql" => "connect-pg-simple or the counterpart, with the same table",
        "mysql" | "mariadb" => "express-mysql-session or the counterpart, with the same table",
        "sqlite" => "connect-sqlite3 or the counterpart, with the same file and table",
        "node" => "the same store, which Node.js already runs",
        "memory" => "nothing: nobody else has these sessions",
        _ => "connect-redis and redis, with the same prefix",
    }
}
