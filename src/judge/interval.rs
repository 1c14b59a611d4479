//! How sure a ratio is: 95 % intervals that know that mutants of one module resemble each other.
//!
//! Proportions: Wilson's interval on the Rao–Scott effective sample size, with the quantile of
//! Student's t for the number of modules. Whatever is no proportion: a bootstrap over modules, from fixed
//! seed bytes, so that equal input gives equal bytes. Knows counts per module, and nothing of what they count.

use std::ops::AddAssign;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use statrs::distribution::{Continuous, ContinuousCDF, StudentsT};

/// With fewer modules there is no interval: it would rest on too few independent observations.
pub const MODULES_NEEDED: usize = 10;

pub const CONFIDENCE: f64 = 0.95;

/// Drawn again for every row, so that no row depends on the ones before it.
const SEED: [u8; 32] = *b"leakbench bootstrap over modules";

/// Both ends belong to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

/// One module's part in a proportion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cluster {
    pub hits: u64,
    pub trials: u64,
}

/// A proportion over modules.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Proportion {
    /// `None` without trials.
    pub ratio: Option<f64>,
    /// `None` under [`MODULES_NEEDED`] modules with trials.
    pub interval: Option<Interval>,
    /// The clustered variance over that of as many independent trials; `None` at 0 and 1, where nothing
    /// varies, and with a single module. May be below 1.
    pub design_effect: Option<f64>,
}

/// `None` for 0/0.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
pub fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The pooled proportion of `clusters`; those without trials do not count.
pub fn proportion(clusters: &[Cluster]) -> Proportion {
    let used: Vec<Cluster> = clusters.iter().copied().filter(|cluster| cluster.trials > 0).collect();
    let trials = used.iter().map(|cluster| cluster.trials).sum();
    let Some(p) = ratio(used.iter().map(|cluster| cluster.hits).sum(), trials) else {
        return Proportion::default();
    };
    let design_effect = design_effect(&used, p, trials);
    let enough = used.len() >= MODULES_NEEDED;
    let interval = enough.then(|| {
        let effective = effective_size(used.len(), trials, design_effect);
        wilson(p, effective, t_quantile(used.len() - 1))
    });
    Proportion {
        ratio: Some(p),
        interval,
        design_effect,
    }
}

/// Rao and Scott's: the between-module variance of the ratio estimator over the binomial one.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn design_effect(clusters: &[Cluster], p: f64, trials: u64) -> Option<f64> {
    let (modules, trials) = (clusters.len() as f64, trials as f64);
    let independent = p * (1.0 - p) * trials;
    if clusters.len() < 2 || independent <= 0.0 {
        return None;
    }
    let residual = |cluster: &Cluster| cluster.hits as f64 - p * cluster.trials as f64;
    let squares: f64 = clusters.iter().map(|cluster| residual(cluster).powi(2)).sum();
    Some(modules / (modules - 1.0) * squares / independent)
}

/// How many independent trials the clustered ones are worth. Never more than there are: that modules
/// resemble each other more than chance would have it is chance itself. Where nothing varies, the
/// modules are all that is known to be independent.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn effective_size(modules: usize, trials: u64, design_effect: Option<f64>) -> f64 {
    design_effect.map_or(modules as f64, |effect| trials as f64 / effect.max(1.0))
}

/// Wilson's score interval for `p` observed in `size` trials, which need not be whole.
pub fn wilson(p: f64, size: f64, quantile: f64) -> Interval {
    let square = quantile * quantile / size;
    let middle = (p + square / 2.0) / (1.0 + square);
    let half = quantile * (p * (1.0 - p) / size + square / (4.0 * size)).sqrt() / (1.0 + square);
    let low = if p <= 0.0 { 0.0 } else { (middle - half).max(0.0) };
    let high = if p >= 1.0 { 1.0 } else { (middle + half).min(1.0) };
    Interval { low, high }
}

/// The two-sided quantile of Student's t; 1.96 for very many degrees of freedom.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
pub fn t_quantile(degrees_of_freedom: usize) -> f64 {
    let student = StudentsT::new(0.0, 1.0, degrees_of_freedom.max(1) as f64);
    let student = student.expect("at least one degree of freedom");
    let share = f64::midpoint(1.0, CONFIDENCE);
    let rough = student.inverse_cdf(share);
    // The crate inverts by way of a number next to 1 and loses digits there; one step of Newton's finds them.
    rough - (student.cdf(rough) - share) / student.pdf(rough)
}

/// Percentile intervals of several statistics over the same `resamples` of the clusters; the order of
/// the clusters matters, so callers sort them. `None` under [`MODULES_NEEDED`] clusters, and for a
/// statistic that more than one resample in ten leaves undefined.
pub fn bootstrap<T, const N: usize>(
    clusters: &[T],
    resamples: usize,
    statistics: impl Fn(&T) -> [Option<f64>; N],
) -> [Option<Interval>; N]
where
    T: Copy + Default + AddAssign,
{
    if clusters.len() < MODULES_NEEDED || resamples == 0 {
        return [None; N];
    }
    let mut random = ChaCha8Rng::from_seed(SEED);
    let drawn: Vec<[Option<f64>; N]> = (0..resamples)
        .map(|_| statistics(&resample(clusters, &mut random)))
        .collect();
    std::array::from_fn(|at| percentiles(drawn.iter().filter_map(|values| values[at]).collect(), resamples))
}

fn resample<T: Copy + Default + AddAssign>(clusters: &[T], random: &mut ChaCha8Rng) -> T {
    let mut sum = T::default();
    for _ in clusters {
        sum += clusters[below(clusters.len(), random)];
    }
    sum
}

/// A fair draw by multiplication instead of the crate's range method, whose values may change between
/// versions; its bias is below 2^-32.
fn below(bound: usize, random: &mut ChaCha8Rng) -> usize {
    let scaled = (u128::from(random.next_u64()) * bound as u128) >> 64;
    usize::try_from(scaled).expect("smaller than the bound")
}

fn percentiles(mut values: Vec<f64>, resamples: usize) -> Option<Interval> {
    if values.len() * 10 < resamples * 9 {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let tail = (1.0 - CONFIDENCE) / 2.0;
    Some(Interval {
        low: quantile(&values, tail),
        high: quantile(&values, 1.0 - tail),
    })
}

/// Linear between the two nearest values, as numpy and R do by default.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an index into a short list"
)]
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (place - place.floor()) * (sorted[above] - sorted[below])
}
