//! Who may hold a connection when all are taken: those that work keep theirs, the one that has said nothing for longest
//! makes room. So no number of silent or slow clients keeps others out.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Who has been silent for less may just be about to speak, or still be reading the end of an answer.
const SILENCE_MIN: Duration = Duration::from_secs(1);
/// Time until it is looked again whom to ask to leave.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// All seats of a listener.
#[derive(Debug)]
pub(crate) struct Seats {
    free: Arc<Semaphore>,
    taken: Mutex<HashMap<u64, Taken>>,
    next: AtomicU64,
}

#[derive(Debug)]
struct Taken {
    leave: CancellationToken,
    /// `None` while a request is being answered.
    silent_since: Option<Instant>,
}

/// One connection's seat, until it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    number: u64,
    seats: Arc<Seats>,
    leave: CancellationToken,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Seats {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { free: Arc::new(Semaphore::new(most)), taken: Mutex::default(), next: AtomicU64::new(0) })
    }

    /// A seat for a new connection; while there is none, those that say nothing are asked to leave.
    pub(crate) async fn take(self: &Arc<Self>) -> Seat {
        let permit = loop {
            if let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() {
                break Some(permit);
            }
            self.ask_the_most_silent_to_leave();
            if let Ok(permit) = tokio::time::timeout(LOOK_AGAIN, Arc::clone(&self.free).acquire_owned()).await {
                // The semaphore is never closed.
                break permit.ok();
            }
        };
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let leave = CancellationToken::new();
        self.taken().insert(number, Taken { leave: leave.clone(), silent_since: Some(Instant::now()) });
        Seat { number, seats: Arc::clone(self), leave, _permit: permit }
    }

    fn ask_the_most_silent_to_leave(&self) {
        let taken = self.taken();
        let silent = taken.values().filter(|seat| !seat.leave.is_cancelled()).filter_map(|seat| {
            let since = seat.silent_since.filter(|since| since.elapsed() >= SILENCE_MIN)?;
            Some((since, &seat.leave))
        });
        if let Some((_, leave)) = silent.min_by_key(|(since, _)| *since) {
            leave.cancel();
        }
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<u64, Taken>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, number: u64, silent_since: Option<Instant>) {
        if let Some(seat) = self.taken().get_mut(&number) {
            seat.silent_since = silent_since;
        }
    }
}

impl Seat {
    /// Cancelled when the connection is to make room.
    pub(crate) fn leave(&self) -> CancellationToken {
        self.leave.clone()
    }

    /// A request has arrived; it is being answered until what is returned is dropped.
    pub(crate) fn answering(&self) -> Answering {
        self.seats.note(self.number, None);
        Answering { number: self.number, seats: Arc::clone(&self.seats) }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.taken().remove(&self.number);
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(crate) struct Answering {
    number: u64,
    seats: Arc<Seats>,
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.seats.note(self.number, Some(Instant::now()));
    }
}

impl Answering {
    /// Bytes are there for the client to take: until it asks for more, it is the one who is silent.
    fn waits_for_the_client(&self) {
        self.seats.note(self.number, Some(Instant::now()));
    }

    /// The client waits for us.
    fn goes_on(&self) {
        self.seats.note(self.number, None);
    }
}

/// The body of an answer. Its request is being answered until all of it is sent, but for the times in which the client
/// takes nothing: else a few bytes a minute would hold a seat for as long as the answer is.
#[derive(Debug)]
pub(crate) struct Answer {
    body: Body,
    answering: Answering,
}

impl Answer {
    pub(crate) fn new(body: Body, answering: Answering) -> Self {
        Self { body, answering }
    }
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        match frame {
            Poll::Ready(_) => self.answering.waits_for_the_client(),
            Poll::Pending => self.answering.goes_on(),
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures_util::{StreamExt as _, stream};
    use hyper::body::Body as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_most_silent_makes_room_and_who_works_stays() {
        let seats = Seats::new(2);
        let working = seats.take().await;
        let request = working.answering();
        let silent = seats.take().await;
        let began = Instant::now();
        let leave = silent.leave();
        let gone = tokio::spawn(async move {
            leave.cancelled().await;
            drop(silent);
        });
        let next = seats.take().await;
        gone.await.unwrap();
        assert!(began.elapsed() < SILENCE_MIN + 2 * LOOK_AGAIN);
        assert!(!working.leave().is_cancelled() && !next.leave().is_cancelled());
        tokio::time::advance(LOOK_AGAIN).await;
        drop(request);
        tokio::time::advance(SILENCE_MIN).await;
        seats.ask_the_most_silent_to_leave();
        assert!(next.leave().is_cancelled(), "it has been silent for longest");
        assert!(!working.leave().is_cancelled(), "only one is asked");
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_take_its_answer_is_silent_and_who_waits_for_it_is_not() {
        let seats = Seats::new(2);
        let (slow, patient) = (seats.take().await, seats.take().await);
        let bytes = stream::once(async { Ok::<_, axum::Error>(Bytes::from_static(b"meow")) });
        let mut sent = Answer::new(Body::from_stream(bytes.chain(stream::pending())), slow.answering());
        let mut late =
            Answer::new(Body::from_stream(stream::pending::<Result<Bytes, axum::Error>>()), patient.answering());
        poll_fn(|context| Pin::new(&mut sent).poll_frame(context)).await.unwrap().unwrap();
        assert!(poll_fn(|context| Poll::Ready(Pin::new(&mut late).poll_frame(context))).await.is_pending());
        tokio::time::advance(SILENCE_MIN).await;
        seats.ask_the_most_silent_to_leave();
        seats.ask_the_most_silent_to_leave();
        assert!(slow.leave().is_cancelled() && !patient.leave().is_cancelled());

        let comes_back = seats.taken().len();
        assert!(poll_fn(|context| Poll::Ready(Pin::new(&mut sent).poll_frame(context))).await.is_pending());
        let silent = seats.taken().values().filter(|seat| seat.silent_since.is_some()).count();
        assert_eq!((comes_back, silent), (2, 0), "it has taken what was there, and waits for more");
    }
}
