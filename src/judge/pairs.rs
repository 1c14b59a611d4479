//! Intervals of what is computed from twin pairs.

use super::interval::{Cluster, Interval, Proportion, bootstrap, proportion};
use super::tally::Pairs;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct PairIntervals {
    pub(super) false_positive_rate: Option<Interval>,
    pub(super) youden: Option<Interval>,
    pub(super) precision: Option<Interval>,
    pub(super) discrimination: Option<Interval>,
}

impl PairIntervals {
    /// `by_module` sorted by module, for the bootstrap's sake.
    pub(super) fn of(by_module: &[Pairs], resamples: usize) -> Self {
        let used: Vec<Pairs> = by_module.iter().copied().filter(|pairs| pairs.count > 0).collect();
        let recall = rate(&used, |pairs| pairs.hit);
        let alarms = rate(&used, |pairs| pairs.alarms);
        let apart = rate(&used, |pairs| pairs.told_apart);
        let statistics = |pairs: &Pairs| [pairs.youden(), pairs.precision(), pairs.discrimination()];
        let [youden, precision, discrimination] = bootstrap(&used, resamples, statistics);
        let is_blind = is_at_an_end(recall) || is_at_an_end(alarms);
        let drawn = Self {
            false_positive_rate: alarms.interval,
            youden,
            precision,
            discrimination: if is_at_an_end(apart) {
                apart.interval
            } else {
                discrimination
            },
        };
        if is_blind { drawn.widened(recall, alarms) } else { drawn }
    }

    /// Where no decoy of the sample gave an alarm, none of any resample does, and the bootstrap would
    /// call a precision of 1 certain. There the ends come from the ends of both rates, which is wider
    /// than need be, never narrower.
    fn widened(self, recall: Proportion, alarms: Proportion) -> Self {
        let (Some(recall), Some(alarms)) = (recall.interval, alarms.interval) else {
            return self;
        };
        let low = precision(recall.low, alarms.high);
        let high = precision(recall.high, alarms.low);
        Self {
            youden: Some(Interval {
                low: recall.low - alarms.high,
                high: recall.high - alarms.low,
            }),
            precision: low.zip(high).map(|(low, high)| Interval { low, high }),
            ..self
        }
    }
}

fn rate(used: &[Pairs], hits: impl Fn(&Pairs) -> u64) -> Proportion {
    let cluster = |pairs: &Pairs| Cluster {
        hits: hits(pairs),
        trials: pairs.count,
    };
    proportion(&used.iter().map(cluster).collect::<Vec<_>>())
}

fn is_at_an_end(proportion: Proportion) -> bool {
    proportion.ratio.is_some_and(|ratio| ratio <= 0.0 || ratio >= 1.0)
}

/// `None` where nothing is reported at all.
pub(super) fn precision(recall: f64, false_positive_rate: f64) -> Option<f64> {
    let reported = recall + false_positive_rate;
    (reported > 0.0).then(|| recall / reported)
}
