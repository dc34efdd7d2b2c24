//! Asks several servers the same question, one after the other, until one answers.

use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use tokio::time::timeout;

/// How long a server may say nothing before the next one is asked as well.
pub(crate) const PATIENCE: Duration = Duration::from_millis(250);

/// Returns the first answer. The next question begins when the one before fails, or after [`PATIENCE`]; a late answer
/// still counts.
///
/// # Errors
///
/// The failures of all, if none answers.
pub(crate) async fn first<T, E>(
    questions: Vec<impl Future<Output = Result<T, E>>>,
) -> Result<T, Vec<E>> {
    let mut questions = questions.into_iter();
    let mut asked = FuturesUnordered::new();
    let mut failures = Vec::new();
    loop {
        let next = questions.next();
        let is_last = next.is_none();
        asked.extend(next);
        let answer = if is_last {
            asked.next().await
        } else {
            match timeout(PATIENCE, asked.next()).await {
                Ok(answer) => answer,
                Err(_) => continue,
            }
        };
        match answer {
            Some(Ok(answer)) => return Ok(answer),
            Some(Err(failure)) => failures.push(failure),
            None => return Err(failures),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::pending,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use futures::future::Either;
    use tokio::time::sleep;

    use super::*;

    #[tokio::test]
    async fn the_next_is_asked_when_one_fails_and_none_after_an_answer() {
        let asked = AtomicUsize::new(0);
        let ask = |answer: Result<u8, &'static str>| {
            let asked = &asked;
            async move {
                asked.fetch_add(1, Ordering::Relaxed);
                answer
            }
        };
        assert_eq!(first(vec![ask(Err("a")), ask(Ok(1)), ask(Ok(2))]).await, Ok(1));
        assert_eq!(asked.load(Ordering::Relaxed), 2);
        assert_eq!(first(vec![ask(Err("a")), ask(Err("b"))]).await, Err(vec!["a", "b"]));
        assert_eq!(first(Vec::<std::future::Ready<Result<(), ()>>>::new()).await, Err(vec![]));
    }

    #[tokio::test]
    async fn one_that_is_silent_holds_up_nobody_and_a_late_answer_counts() {
        let silent = || Either::Left(pending::<Result<u8, ()>>());
        let late = Either::Right(Box::pin(async {
            sleep(PATIENCE * 2).await;
            Ok(1)
        }));
        let answer = first(vec![silent(), late, silent()]);
        assert_eq!(timeout(Duration::from_secs(60), answer).await, Ok(Ok(1)));
    }
}
