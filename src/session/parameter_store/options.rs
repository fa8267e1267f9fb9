//! What a declaration says of a parameter besides its type, and what follows from it for a new value.

use std::fmt;
use std::sync::Arc;

use crate::session::{Error, ErrorKind, Parameter, ParameterValue};

use super::kind::ParameterKind;

/// Asked about every new value; the text refuses it.
pub type ParameterValidator = Arc<dyn Fn(&Parameter) -> Result<(), String> + Send + Sync>;
/// Told of every new value.
pub type ParameterObserver = Arc<dyn Fn(&Parameter) + Send + Sync>;

/// Optional properties of a declared parameter. They stay on the robot: the protocol has no place for them.
#[derive(Clone, Default)]
pub struct ParameterOptions {
    /// For people: what it is, and in which unit.
    pub description: String,
    /// Smallest value, for numbers and the elements of number arrays. Integer or float like the parameter; an integer
    /// will do for a float. Default: none.
    pub min: Option<ParameterValue>,
    /// Largest value, likewise.
    pub max: Option<ParameterValue>,
    /// Distance between values, positive, counted from `min`, else from 0, likewise. `min` and `max` themselves are always
    /// allowed. Floats may be off by a billionth of a step. Default: any.
    pub step: Option<ParameterValue>,
    /// The values that a string, or each element of a string array, may have. Default, empty: any.
    pub allowed: Vec<String>,
    /// Viewers cannot change it; the robot can.
    pub read_only: bool,
    /// Viewers can delete it.
    pub deletable: bool,
    /// Asked about every new value that is of the right type and in range, before it counts.
    pub validate: Option<ParameterValidator>,
    /// Told when the value has changed, whoever did it. Without a value: a viewer has deleted the parameter.
    pub on_change: Option<ParameterObserver>,
}

impl fmt::Debug for ParameterOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParameterOptions")
            .field("description", &self.description)
            .field("min", &self.min)
            .field("max", &self.max)
            .field("step", &self.step)
            .field("allowed", &self.allowed)
            .field("read_only", &self.read_only)
            .field("deletable", &self.deletable)
            .finish_non_exhaustive()
    }
}

/// A bound of a number; see [`ParameterOptions::range`].
pub trait ParameterNumber {
    /// As a value.
    fn into_value(self) -> ParameterValue;
}

impl ParameterNumber for i64 {
    fn into_value(self) -> ParameterValue {
        ParameterValue::Integer(self)
    }
}

impl ParameterNumber for f64 {
    fn into_value(self) -> ParameterValue {
        ParameterValue::Float(self)
    }
}

impl ParameterOptions {
    /// No properties.
    pub fn new() -> Self {
        Self::default()
    }

    /// For people: what it is, and in which unit.
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.description = text.into();
        self
    }

    /// Smallest and largest value.
    pub fn range<N: ParameterNumber>(mut self, min: N, max: N) -> Self {
        self.min = Some(min.into_value());
        self.max = Some(max.into_value());
        self
    }

    /// Distance between values.
    pub fn step<N: ParameterNumber>(mut self, step: N) -> Self {
        self.step = Some(step.into_value());
        self
    }

    /// The only values that a string may have.
    pub fn allowed<S: Into<String>>(mut self, values: impl IntoIterator<Item = S>) -> Self {
        self.allowed = values.into_iter().map(Into::into).collect();
        self
    }

    /// Viewers cannot change it.
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// Viewers can delete it.
    pub fn deletable(mut self) -> Self {
        self.deletable = true;
        self
    }

    /// Refuses values by a reason.
    pub fn validate(mut self, check: impl Fn(&Parameter) -> Result<(), String> + Send + Sync + 'static) -> Self {
        self.validate = Some(Arc::new(check));
        self
    }

    /// Is told of changes.
    pub fn on_change(mut self, observe: impl Fn(&Parameter) + Send + Sync + 'static) -> Self {
        self.on_change = Some(Arc::new(observe));
        self
    }
}

/// [`ParameterOptions`], checked against the type.
pub(super) struct Rules {
    pub(super) options: ParameterOptions,
    range: Range,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Range {
    Any,
    Integer { min: i64, max: i64, step: Option<(i64, i64)> },
    Float { min: f64, max: f64, step: Option<(f64, f64)> },
}

fn invalid(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidValue, text)
}

impl Rules {
    pub(super) fn new(name: &str, kind: ParameterKind, options: ParameterOptions) -> Result<Self, Error> {
        let range = Range::new(name, kind, &options)?;
        let texts = matches!(kind, ParameterKind::String | ParameterKind::StringArray);
        if !options.allowed.is_empty() && !texts {
            return Err(invalid(format!("{name} is {kind}, and only strings can have a list of allowed values")));
        }
        Ok(Self { options, range })
    }

    /// Whether a value of the right type may be stored.
    pub(super) fn check(&self, parameter: &Parameter) -> Result<(), Error> {
        let Some(value) = &parameter.value else { return Ok(()) };
        match value {
            ParameterValue::Array(values) => values.iter().try_for_each(|value| self.check_value(parameter, value)),
            value => self.check_value(parameter, value),
        }
    }

    fn check_value(&self, parameter: &Parameter, value: &ParameterValue) -> Result<(), Error> {
        let name = &parameter.name;
        match (self.range, value) {
            (Range::Integer { min, max, step }, ParameterValue::Integer(value)) => {
                if !(min..=max).contains(value) {
                    return Err(invalid(format!("{name} is limited to {min} to {max}; {value} is outside")));
                }
                // Wide arithmetic: the difference of two i64 need not fit one.
                let off = |(base, step)| (i128::from(*value) - i128::from(base)) % i128::from(step) != 0;
                if let Some((base, step)) = step.filter(|step| off(*step) && *value != min && *value != max) {
                    return Err(invalid(format!("{name} goes in steps of {step} from {base}; {value} is between two")));
                }
            }
            (Range::Float { min, max, step }, ParameterValue::Float(value)) => {
                if !(min..=max).contains(value) {
                    return Err(invalid(format!("{name} is limited to {min} to {max}; {value} is outside")));
                }
                let off = |(base, step): (f64, f64)| {
                    let steps = (value - base) / step;
                    // A computed multiple is rarely exact; beyond 2^53 steps every float is one.
                    (steps - steps.round()).abs() > 1e-9 * steps.abs().max(1.0)
                };
                if let Some((base, step)) = step.filter(|step| off(*step) && *value != min && *value != max) {
                    return Err(invalid(format!("{name} goes in steps of {step} from {base}; {value} is between two")));
                }
            }
            (_, ParameterValue::String(text))
                if !self.options.allowed.is_empty() && !self.options.allowed.contains(text) =>
            {
                let allowed = self.options.allowed.join(", ");
                return Err(invalid(format!("{name} can be one of {allowed}")));
            }
            _ => {}
        }
        Ok(())
    }
}

impl Range {
    fn new(name: &str, kind: ParameterKind, options: &ParameterOptions) -> Result<Self, Error> {
        let ParameterOptions { min, max, step, .. } = options;
        if min.is_none() && max.is_none() && step.is_none() {
            return Ok(Self::Any);
        }
        let range = match kind {
            ParameterKind::Integer | ParameterKind::IntegerArray => {
                let integer = |value: &Option<ParameterValue>, what: &str| match value {
                    None => Ok(None),
                    Some(ParameterValue::Integer(integer)) => Ok(Some(*integer)),
                    Some(_) => Err(invalid(format!("{name} is {kind}, so its {what} has to be an integer"))),
                };
                let (min, max, step) = (integer(min, "min")?, integer(max, "max")?, integer(step, "step")?);
                let step = step.map(|step| (min.unwrap_or(0), step));
                Self::Integer { min: min.unwrap_or(i64::MIN), max: max.unwrap_or(i64::MAX), step }
            }
            ParameterKind::Float | ParameterKind::FloatArray => {
                let float = |value: &Option<ParameterValue>, what: &str| match value {
                    None => Ok(None),
                    Some(value) => match value.as_float().filter(|float| float.is_finite()) {
                        Some(float) => Ok(Some(float)),
                        None => Err(invalid(format!("{name} is {kind}, so its {what} has to be a finite number"))),
                    },
                };
                let (min, max, step) = (float(min, "min")?, float(max, "max")?, float(step, "step")?);
                let step = step.map(|step| (min.unwrap_or(0.0), step));
                Self::Float { min: min.unwrap_or(f64::MIN), max: max.unwrap_or(f64::MAX), step }
            }
            kind => return Err(invalid(format!("{name} is {kind}, and only numbers can have a range"))),
        };
        let (ordered, positive) = match range {
            Self::Any => (true, true),
            Self::Integer { min, max, step } => (min <= max, step.is_none_or(|(_, step)| step > 0)),
            Self::Float { min, max, step } => (min <= max, step.is_none_or(|(_, step)| step > 0.0)),
        };
        if !ordered {
            return Err(invalid(format!("min of {name} is larger than its max")));
        }
        if !positive {
            return Err(invalid(format!("step of {name} is not positive")));
        }
        Ok(range)
    }
}
