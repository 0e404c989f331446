//! From values to a handler's types and back.

use crate::value::{Error, Picture, Value};

/// A type that handlers take and return.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a type that components hold",
    note = "handlers take and return String, bool, f64 (and other numbers), Picture, Vec<Picture>, and Option of those; Context comes last"
)]
pub trait Payload: Sized {
    /// What it is called in a message.
    const NAME: &'static str;

    /// The value as this type; the value back when it does not fit.
    ///
    /// # Errors
    /// The value itself.
    fn from_value(value: Value) -> Result<Self, Value>;

    /// This as a value.
    fn into_value(self) -> Value;
}

macro_rules! payload {
    ($type:ty, $name:literal, $variant:ident) => {
        impl Payload for $type {
            const NAME: &'static str = $name;

            fn from_value(value: Value) -> Result<Self, Value> {
                match value {
                    Value::$variant(inner) => Ok(inner),
                    other => Err(other),
                }
            }

            fn into_value(self) -> Value {
                Value::$variant(self)
            }
        }
    };
}

payload!(String, "a text", Text);
payload!(f64, "a number", Number);
payload!(bool, "a yes or no", Bool);
payload!(Picture, "a picture", Picture);
payload!(Vec<Picture>, "pictures", Gallery);

/// New choices for a [`Dropdown`](crate::blocks::Dropdown), as a handler's output. The Dropdown stands at `chosen` where
/// that is among them, else where it stood, else at the first.
///
/// ```
/// use gradus::prelude::*;
/// let app = Blocks::named("doc", |ui| {
///     let model = ui.add(Dropdown::of(["none yet"]).label("Model"));
///     ui.load(async || Choices::of(["small", "large"]).chosen("large"), (), model);
/// });
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choices {
    all: Vec<String>,
    chosen: String,
}

impl Choices {
    /// These choices.
    #[must_use]
    pub fn of<T: Into<String>>(all: impl IntoIterator<Item = T>) -> Self {
        Self { all: all.into_iter().map(Into::into).collect(), chosen: String::new() }
    }

    /// The one to stand at.
    #[must_use]
    pub fn chosen(mut self, choice: impl Into<String>) -> Self {
        self.chosen = choice.into();
        self
    }
}

impl Payload for Choices {
    const NAME: &'static str = "choices";

    fn from_value(value: Value) -> Result<Self, Value> {
        match value {
            Value::Choices(all, chosen) => Ok(Self { all, chosen }),
            other => Err(other),
        }
    }

    fn into_value(self) -> Value {
        Value::Choices(self.all, self.chosen)
    }
}

macro_rules! number {
    ($($type:ty: $name:literal,)*) => {$(
        impl Payload for $type {
            const NAME: &'static str = $name;

            fn from_value(value: Value) -> Result<Self, Value> {
                match value {
                    // Rust's cast saturates, so what comes back differs exactly when the number does not fit.
                    Value::Number(number) if f64::from(number as $type) == number => Ok(number as $type),
                    other => Err(other),
                }
            }

            fn into_value(self) -> Value {
                Value::Number(f64::from(self))
            }
        }
    )*};
}

number!(u8: "a whole number from 0 to 255", u16: "a whole number from 0 to 65535", u32: "a whole number from 0 on",
        i32: "a whole number", i16: "a whole number",);

impl Payload for f32 {
    const NAME: &'static str = "a number";

    fn from_value(value: Value) -> Result<Self, Value> {
        f64::from_value(value).map(|number| number as Self)
    }

    fn into_value(self) -> Value {
        Value::Number(f64::from(self))
    }
}

impl<T: Payload> Payload for Option<T> {
    const NAME: &'static str = T::NAME;

    fn from_value(value: Value) -> Result<Self, Value> {
        match value {
            Value::Null => Ok(None),
            some => T::from_value(some).map(Some),
        }
    }

    fn into_value(self) -> Value {
        self.map_or(Value::Null, T::into_value)
    }
}

/// A tuple of [`Payload`]s: what a handler takes, or what it returns.
pub trait Payloads: Sized {
    /// The values as this tuple.
    ///
    /// # Errors
    /// A message naming the first value that does not fit.
    fn from_values(values: Vec<Value>) -> Result<Self, Error>;

    /// The tuple as values.
    fn into_values(self) -> Vec<Value>;
}

fn take<T: Payload>(values: &mut impl Iterator<Item = Value>, place: usize) -> Result<T, Error> {
    T::from_value(values.next().unwrap_or_default()).map_err(|value| {
        Error::new(format!("Input {place} is {} where the handler takes {}. Fill it in first.", value.kind(), T::NAME))
    })
}

macro_rules! payloads {
    ($($type:ident $place:literal)*) => {
        impl<$($type: Payload),*> Payloads for ($($type,)*) {
            fn from_values(values: Vec<Value>) -> Result<Self, Error> {
                #[allow(unused_mut, unused_variables, reason = "the empty tuple takes nothing")]
                let mut values = values.into_iter();
                Ok(($(take::<$type>(&mut values, $place)?,)*))
            }

            fn into_values(self) -> Vec<Value> {
                #[allow(non_snake_case, reason = "the macro names variables by their types")]
                let ($($type,)*) = self;
                vec![$($type.into_value()),*]
            }
        }
    };
}

payloads!();
payloads!(A 1);
payloads!(A 1 B 2);
payloads!(A 1 B 2 C 3);
payloads!(A 1 B 2 C 3 D 4);
payloads!(A 1 B 2 C 3 D 4 E 5);
payloads!(A 1 B 2 C 3 D 4 E 5 F 6);
payloads!(A 1 B 2 C 3 D 4 E 5 F 6 G 7);
payloads!(A 1 B 2 C 3 D 4 E 5 F 6 G 7 H 8);
payloads!(A 1 B 2 C 3 D 4 E 5 F 6 G 7 H 8 I 9);
payloads!(A 1 B 2 C 3 D 4 E 5 F 6 G 7 H 8 I 9 J 10);
payloads!(A 1 B 2 C 3 D 4 E 5 F 6 G 7 H 8 I 9 J 10 K 11);
payloads!(A 1 B 2 C 3 D 4 E 5 F 6 G 7 H 8 I 9 J 10 K 11 L 12);
payloads!(A 1 B 2 C 3 D 4 E 5 F 6 G 7 H 8 I 9 J 10 K 11 L 12 M 13);
payloads!(A 1 B 2 C 3 D 4 E 5 F 6 G 7 H 8 I 9 J 10 K 11 L 12 M 13 N 14);
payloads!(A 1 B 2 C 3 D 4 E 5 F 6 G 7 H 8 I 9 J 10 K 11 L 12 M 13 N 14 O 15);
payloads!(A 1 B 2 C 3 D 4 E 5 F 6 G 7 H 8 I 9 J 10 K 11 L 12 M 13 N 14 O 15 P 16);
payloads!(A 1 B 2 C 3 D 4 E 5 F 6 G 7 H 8 I 9 J 10 K 11 L 12 M 13 N 14 O 15 P 16 Q 17);
payloads!(A 1 B 2 C 3 D 4 E 5 F 6 G 7 H 8 I 9 J 10 K 11 L 12 M 13 N 14 O 15 P 16 Q 17 R 18);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_do_not_fit_are_refused() {
        let check = |number: f64, fits: bool| {
            assert_eq!(u8::from_value(Value::Number(number)).is_ok(), fits, "{number}");
        };
        check(0.0, true);
        check(255.0, true);
        check(256.0, false);
        check(-1.0, false);
        check(1.5, false);
        check(f64::NAN, false);
    }

    #[test]
    fn a_missing_input_is_named() {
        let error = <(String, Picture)>::from_values(vec![Value::from("x"), Value::Null]).unwrap_err();
        assert!(error.message().contains("Input 2 is nothing"), "{error}");
    }

    #[test]
    fn optional_inputs_may_be_missing() {
        let (picture,) = <(Option<Picture>,)>::from_values(vec![Value::Null]).unwrap();
        assert_eq!(picture, None);
    }
}
