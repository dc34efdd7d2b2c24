//! What the samples of all rounds say about a subject.

use cloakroom_bench::Sample;
use serde::{Deserialize, Serialize};

use crate::statistics::{median, quantile};

/// A subject in one kind of work.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Row {
    pub(crate) table: String,
    pub(crate) work: String,
    pub(crate) subject: String,
    pub(crate) base: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) note: String,
}

/// What was measured of a subject, and beside the base.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) value: Spread,
    /// The ratios to the base, which ran in the same round. What the machine does besides changes from round to round,
    /// and hits both. Nothing if the base has no such column.
    pub(crate) ratio: Option<Spread>,
    /// The differences to the base.
    pub(crate) over: Option<Spread>,
}

/// The median of the rounds, and their quartiles.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Spread {
    /// Returns `None` if there are no values.
    fn of(values: &[f64]) -> Option<Self> {
        (!values.is_empty()).then(|| Self {
            median: median(values),
            low: quantile(values, 0.25),
            high: quantile(values, 0.75),
        })
    }
}

/// The rows in the order of the first samples.
pub(crate) fn rows(samples: &[Sample]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for sample in samples {
        let is_known = rows.iter().any(|row| {
            (&row.table, &row.work, &row.subject) == (&sample.table, &sample.work, &sample.subject)
        });
        if !is_known {
            rows.push(row(sample, samples));
        }
    }
    rows
}

fn row(first: &Sample, samples: &[Sample]) -> Row {
    let of = |subject: &str, column: &str| -> Vec<(u32, f64)> {
        let samples = samples.iter().filter(|sample| {
            sample.table == first.table && sample.work == first.work && sample.subject == subject
        });
        let values = samples.filter_map(|sample| {
            let (_, value) = sample.measured.iter().find(|(name, _)| name == column)?;
            Some((sample.round, *value))
        });
        values.collect()
    };
    let column = |name: &String| {
        let (ours, base) = (of(&first.subject, name), of(&first.base, name));
        let in_round = |round| base.iter().find(|(of, _)| *of == round).map(|(_, value)| *value);
        let compared = |compare: fn(f64, f64) -> f64| {
            let rounds =
                ours.iter().filter_map(|(round, value)| Some(compare(*value, in_round(*round)?)));
            Spread::of(&rounds.filter(|value| value.is_finite()).collect::<Vec<_>>())
        };
        let values: Vec<f64> = ours.iter().map(|(_, value)| *value).collect();
        Some(Column {
            name: name.clone(),
            value: Spread::of(&values)?,
            ratio: compared(|ours, base| ours / base),
            over: compared(|ours, base| ours - base),
        })
    };
    Row {
        table: first.table.clone(),
        work: first.work.clone(),
        subject: first.subject.clone(),
        base: first.base.clone(),
        columns: first.measured.iter().filter_map(|(name, _)| column(name)).collect(),
        note: first.note.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_of_what_ran_in_the_same_round() {
        let sample =
            |subject, round, value| Sample::new("t", "w", subject, "base", round).with("µs", value);
        let samples = [
            sample("base", 0, 10.0),
            sample("ours", 0, 20.0),
            sample("base", 1, 20.0),
            sample("ours", 1, 20.0),
            sample("base", 2, 10.0),
            sample("ours", 2, 40.0),
        ];
        let rows = rows(&samples);
        assert_eq!(rows.len(), 2);
        let column = &rows[1].columns[0];
        assert_eq!(column.value, Spread { median: 20.0, low: 20.0, high: 30.0 });
        assert_eq!(column.ratio, Some(Spread { median: 2.0, low: 1.5, high: 3.0 }));
        assert_eq!(column.over, Some(Spread { median: 10.0, low: 5.0, high: 20.0 }));
    }
}
