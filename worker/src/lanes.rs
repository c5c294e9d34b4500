//! The wakes of all lanes as one stream, shared out smoothly: urgent lanes more often, no lane never.

use std::future::poll_fn;
use std::task::Poll;

use shared::domain::lane::Lane;
use shared::ports::work_queue::{Channel, Delivery, QueueError, Subscription, WorkQueue};

use crate::config::Config;

/// Unsettled wakes per lane. Few: what waits here for a permit could be another worker's.
const WAKE_PREFETCH: u16 = 2;

/// The lanes that this worker listens to.
pub(crate) struct Lanes {
    lanes: Vec<Source>,
    turns: Turns,
}

/// One lane: where its wakes come from, and the one that came and waits for its turn.
struct Source {
    subscription: Box<dyn Subscription>,
    waiting: Option<Delivery>,
    closed: bool,
}

impl Lanes {
    pub(crate) async fn subscribe(queue: &dyn WorkQueue, config: &Config) -> Result<Self, QueueError> {
        let mut lanes = Vec::with_capacity(Lane::ALL.len());
        for lane in Lane::ALL {
            let subscription = queue.subscribe(Channel::Wakes(lane), WAKE_PREFETCH).await?;
            lanes.push(Source { subscription, waiting: None, closed: false });
        }
        Ok(Self { lanes, turns: Turns::new(Lane::ALL.map(|lane| config.share(lane)).to_vec()) })
    }

    /// The next wake of an open lane, with the lane's place in [`Lane::ALL`]; `None` once the queue was closed for good.
    /// Cancel-safe: what has come stays here.
    pub(crate) async fn next(&mut self, open: &[bool; Lane::ALL.len()]) -> Option<(usize, Delivery)> {
        fill(&mut self.lanes, open).await;
        let contends = |(source, open): (&Source, &bool)| *open && source.waiting.is_some();
        let waiting: Vec<bool> = self.lanes.iter().zip(open).map(contends).collect();
        let turn = self.turns.next(&waiting)?;
        self.lanes[turn].waiting.take().map(|delivery| (turn, delivery))
    }

    /// Gives what waits back to the queue.
    pub(crate) async fn release(self) {
        for delivery in self.lanes.into_iter().filter_map(|source| source.waiting) {
            // An error means that the connection is gone, which releases as well.
            let _ = delivery.release().await;
        }
    }
}

/// Returns once a wake waits in any open lane, or all of them were closed for good. Every open lane without one is asked
/// at least once, so that the turn is among all that have something.
async fn fill(lanes: &mut [Source], open: &[bool]) {
    let mut any = lanes.iter().zip(open).any(|(source, open)| *open && source.waiting.is_some());
    let asked = lanes.iter_mut().zip(open).filter(|(_, open)| **open).map(|(source, _)| source);
    let silent = asked.filter(|source| source.waiting.is_none() && !source.closed);
    let mut asked: Vec<_> =
        silent.map(|Source { subscription, waiting, closed, .. }| (subscription.next(), waiting, closed)).collect();
    poll_fn(|context| {
        asked.retain_mut(|(next, waiting, closed)| match next.as_mut().poll(context) {
            Poll::Pending => true,
            Poll::Ready(next) => {
                any |= next.is_some();
                **closed = next.is_none();
                **waiting = next;
                false
            }
        });
        if any || asked.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Smooth weighted round robin: each pick gives every contender its share and takes the whole from the winner, so the
/// picks of one contender are spread evenly rather than bunched.
struct Turns {
    shares: Vec<u32>,
    credit: Vec<i64>,
}

impl Turns {
    fn new(shares: Vec<u32>) -> Self {
        Self { credit: vec![0; shares.len()], shares }
    }

    /// Whose turn it is among those that contend; `None` when nobody does.
    fn next(&mut self, contend: &[bool]) -> Option<usize> {
        let mut whole = 0;
        let mut winner: Option<usize> = None;
        for (index, share) in self.shares.iter().enumerate() {
            if !contend[index] {
                // Who has nothing neither saves nor owes: its next wake is not late because of an earlier burst.
                self.credit[index] = 0;
                continue;
            }
            whole += i64::from(*share);
            self.credit[index] += i64::from(*share);
            if winner.is_none_or(|best| self.credit[index] > self.credit[best]) {
                winner = Some(index);
            }
        }
        self.credit[winner?] -= whole;
        winner
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn picks(shares: &[u32], rounds: usize) -> Vec<usize> {
        let mut turns = Turns::new(shares.to_vec());
        (0..rounds).map(|_| turns.next(&vec![true; shares.len()]).unwrap()).collect()
    }

    #[test]
    fn turns_are_spread_rather_than_bunched() {
        assert_eq!(picks(&[4, 2, 1], 7), [0, 1, 0, 2, 0, 1, 0]);
        assert_eq!(Turns::new(vec![1, 2]).next(&[false, false]), None);
    }

    proptest! {
        #[test]
        fn every_full_cycle_gives_each_its_share(shares in proptest::collection::vec(1u32..50, 1..5), cycles in 1usize..4) {
            let cycle = shares.iter().sum::<u32>() as usize;
            let picks = picks(&shares, cycle * cycles);
            for (index, share) in shares.iter().enumerate() {
                let times = picks.iter().filter(|pick| **pick == index).count();
                prop_assert_eq!(times, *share as usize * cycles);
            }
        }

        /// Lanes come and go, but a wake that waits is served within two full cycles whatever the others do.
        #[test]
        fn nobody_starves(arrivals in proptest::collection::vec(proptest::array::uniform4(any::<bool>()), 1..400)) {
            let shares = vec![8, 4, 2, 1];
            let whole: usize = shares.iter().sum::<u32>() as usize;
            let mut turns = Turns::new(shares);
            let mut waiting = [false; 4];
            let mut waited = [0usize; 4];
            for arrived in arrivals {
                for lane in 0..4 {
                    waiting[lane] |= arrived[lane];
                }
                let turn = turns.next(&waiting);
                prop_assert_eq!(turn.is_none(), waiting == [false; 4]);
                for lane in 0..4 {
                    waited[lane] = if waiting[lane] && turn != Some(lane) { waited[lane] + 1 } else { 0 };
                    prop_assert!(waited[lane] <= 2 * whole, "lane {} waited for {} turns", lane, waited[lane]);
                }
                if let Some(turn) = turn {
                    prop_assert!(waiting[turn]);
                    waiting[turn] = false;
                }
            }
        }
    }
}
