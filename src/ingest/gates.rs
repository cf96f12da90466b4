//! What a delivery must pass before it is published by itself. Rows are counted as they came, before the door drops anybody.

use crate::config::{Delivery, Job, ZeroRows};
use crate::store::batches::{Asked, Batch};

/// A handful of refused rows is daily business; a share of them is a changed form.
const INVALID_COUNT_THAT_MATTERS: u64 = 20;

/// Another number of records came than the source announced for just this question, or fewer are left than there were (`at_most`)
/// when reading began: where one went, those after it moved up, and one may have been passed over. What is added meanwhile is
/// stamped later and comes with the next pull.
pub(super) fn other_number(batch: &Batch, announced: u64, at_most: u64) -> Option<String> {
    let came = batch.counts.read;
    if !batch.asked.is_whole() {
        return None;
    }
    if announced != came {
        return Some(format!("the source announced {announced} records and {came} came"));
    }
    (announced < at_most).then(|| {
        format!("the source announced {at_most} records and later {announced}: they moved while they were read")
    })
}

/// Why the delivery may not be published by itself. `sizes` are the rows of the last full ones; `notes` takes what a person should
/// know although it stops nothing.
pub(super) fn closed(job: &Job, batch: &Batch, sizes: &[u64], notes: &mut Vec<String>) -> Option<String> {
    let counts = batch.counts;
    if batch.asked.is_whole() && counts.read == 0 && job.zero_rows() == ZeroRows::Hold {
        return Some(
            "the delivery is empty; if the source really has nothing, release it, or set `gates.zero_rows = \"allow\"`"
                .to_owned(),
        );
    }
    let ratio = counts.refused as f64 / counts.read.max(1) as f64;
    if counts.refused >= INVALID_COUNT_THAT_MATTERS && ratio > job.gates.max_invalid_ratio {
        return Some(format!(
            "{} of {} records are refused, more than max_invalid_ratio = {} allows; look at them in quarantine",
            counts.refused, counts.read, job.gates.max_invalid_ratio
        ));
    }
    if job.delivery == Delivery::Full && batch.asked == Asked::Everything {
        match median(sizes) {
            None => notes.push("the first full delivery: there is nothing to compare its size with".to_owned()),
            Some(usual) => {
                let least = usual as f64 * (1.0 - job.gates.max_drop_ratio);
                if (counts.read as f64) < least {
                    return Some(format!(
                        "{} records came where the last {} full deliveries had {usual} in the middle: a drop beyond \
                         max_drop_ratio = {}",
                        counts.read,
                        sizes.len(),
                        job.gates.max_drop_ratio
                    ));
                }
            }
        }
    }
    None
}

/// The middle one; of an even number the lower of the two in the middle.
fn median(sizes: &[u64]) -> Option<u64> {
    let mut sorted = sizes.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_the_last_deliveries_is_what_the_next_is_compared_with() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[7]), Some(7));
        assert_eq!(median(&[100, 3, 90]), Some(90));
        assert_eq!(median(&[100, 3, 90, 80]), Some(80));
    }
}
