//! What a setter takes for a field of some type.

use std::fmt::Display;
use std::num::NonZeroU64;

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::draft::Given;
use crate::schema::escape;
use crate::secret::Secret;
use crate::wire::{Nullable, OpenEnum};

/// A value that a setter takes for a field of type `T`.
///
/// | Field | Takes |
/// | --- | --- |
/// | any type | the type itself |
/// | that may be left out (`Option<T>`) | everything that `T` takes, and an `Option` of the type or of a text; `None` leaves it out |
/// | text: ids, [`Uuid`], enums, [`Secret`] | the type, `&str`, `String` |
/// | number | every integer type; a float field also takes `f32` |
/// | request type | the type and its builder |
/// | union | each member and its builder |
/// | that a PATCH can clear (`Option<Nullable<T>>`) | the same as `Option<T>`, and [`Nullable::Null`] to clear it |
///
/// Lists and maps take [`IntoList`] and [`IntoMap`]. Where several types are possible, write which `None` is meant: `None::<&str>`.
///
/// A value that does not fit, such as a text that is not a UUID, is an error of the builder's `build` or of the call's `send`,
/// together with all others.
///
/// The trait is sealed.
#[diagnostic::on_unimplemented(
    message = "a field of type `{T}` does not take `{Self}`",
    label = "not the field's type, its builder, or a text that it is read from",
    note = "see `liveavatar_api::IntoField` for what each field takes"
)]
pub trait IntoField<T> {
    // `Given` cannot be named outside this crate, which seals the trait.
    #[doc(hidden)]
    fn into_given(self) -> Given;
}

/// The items that a setter takes for a list of `T`.
///
/// Takes arrays, `Vec`s and all other iterators over what [`IntoField<T>`] takes, an `Option` of them, and [`Nullable`], which
/// clears the list in a PATCH. An empty array needs a type: `[] as [&str; 0]`.
///
/// `Via` is inferred. The trait is sealed.
#[diagnostic::on_unimplemented(
    message = "a list of `{T}` does not take `{Self}`",
    label = "not an iterator over values that the list takes",
    note = "see `liveavatar_api::IntoList` for what a list takes"
)]
pub trait IntoList<T, Via> {
    #[doc(hidden)]
    fn into_given(self) -> Given;
}

/// The entries that a setter takes for a map from text to `T`.
///
/// Takes maps, arrays of pairs and all other iterators over pairs of a text and what [`IntoField<T>`] takes, and an `Option` of
/// them.
///
/// `Via` is inferred. The trait is sealed.
#[diagnostic::on_unimplemented(
    message = "a map of `{T}` does not take `{Self}`",
    label = "not an iterator over pairs of a key and a value that the map takes",
    note = "see `liveavatar_api::IntoMap` for what a map takes"
)]
pub trait IntoMap<T, Via> {
    #[doc(hidden)]
    fn into_given(self) -> Given;
}

/// A type that is written as text. `String` is not one, because it would convert into itself in two ways.
#[diagnostic::on_unimplemented(
    message = "a field of type `{Self}` does not take a text",
    label = "not the field's type or its builder",
    note = "see `liveavatar_api::IntoField` for what each field takes"
)]
pub trait Text {}

impl Text for Uuid {}
impl Text for Secret {}
impl<E: Text> Text for OpenEnum<E> {}
impl<T: Text> Text for Nullable<T> {}

impl<T: Serialize> IntoField<T> for T {
    fn into_given(self) -> Given {
        Given::typed(&self)
    }
}

impl<T: Serialize> IntoField<Option<T>> for T {
    fn into_given(self) -> Given {
        Given::present(&self)
    }
}

impl<T: Serialize> IntoField<Option<Nullable<T>>> for T {
    fn into_given(self) -> Given {
        Given::present(&self)
    }
}

impl<E: Display> IntoField<OpenEnum<E>> for E {
    fn into_given(self) -> Given {
        Given::present(&OpenEnum::Known(self))
    }
}

impl<E: Display> IntoField<Option<OpenEnum<E>>> for E {
    fn into_given(self) -> Given {
        Given::present(&OpenEnum::Known(self))
    }
}

impl<E: Display> IntoField<Option<OpenEnum<E>>> for Option<E> {
    fn into_given(self) -> Given {
        Given::typed(&self.map(OpenEnum::Known))
    }
}

macro_rules! texts {
    ($($source:ty),*) => {$(
        impl<T: Text> IntoField<T> for $source {
            fn into_given(self) -> Given {
                Given::text(self)
            }
        }

        impl<T: Text> IntoField<Option<T>> for $source {
            fn into_given(self) -> Given {
                Given::text(self)
            }
        }

        impl<T: Text> IntoField<Option<T>> for Option<$source> {
            fn into_given(self) -> Given {
                self.map_or_else(Given::absent, Given::text)
            }
        }
    )*};
}

texts!(&str, &String, String);

/// Conversions of a source type by one expression.
macro_rules! conversions {
    ($($source:ty => $($target:ty),+: $given:expr;)*) => {$($(
        impl $crate::IntoField<$target> for $source {
            #[inline]
            fn into_given(self) -> $crate::builder::Given {
                $crate::builder::convert(self, $given)
            }
        }
    )+)*};
}

pub(crate) use conversions;

/// Calls a conversion. The compiler infers the type of the conversion's argument from `source`.
pub(crate) fn convert<S>(source: S, conversion: impl FnOnce(S) -> Given) -> Given {
    conversion(source)
}

conversions! {
    &str => String, Option<String>, Option<Nullable<String>>: Given::text;
    &String => String, Option<String>, Option<Nullable<String>>: Given::text;
    Option<&str> => Option<String>: |text| text.map_or_else(Given::absent, Given::text);
    Option<&String> => Option<String>: |text| text.map_or_else(Given::absent, Given::text);
    // Some ids are plain texts in the document.
    Uuid => String, Option<String>: |id| Given::present(&id);
}

// Through text, so that 1.2 stays 1.2: the nearest `f64` of the `f32` is larger.
conversions! {
    f32 => f64, Option<f64>: |number: f32| Given::present(&number.to_string().parse::<f64>().unwrap_or(number.into()));
}

macro_rules! numbers {
    ($($target:ty: $($source:ty),*;)*) => {$($(
        impl IntoField<$target> for $source {
            fn into_given(self) -> Given {
                Given::present(&self)
            }
        }

        impl IntoField<Option<$target>> for $source {
            fn into_given(self) -> Given {
                Given::present(&self)
            }
        }
    )*)*};
}

numbers! {
    i64: i8, i16, i32, isize, u8, u16, u32, u64, usize;
    f64: i8, i16, i32, u8, u16, u32;
    NonZeroU64: i8, i16, i32, i64, isize, u8, u16, u32, u64, usize;
}

fn list<T, V: IntoField<T>>(items: impl IntoIterator<Item = V>) -> Given {
    let given = items.into_iter().map(IntoField::into_given).enumerate();
    let (items, texts) = Given::all(given, |index| format!("/{index}"));
    Given { value: Some(items.into_iter().map(|(_, item)| item).collect()), texts }
}

fn map<T, K: Into<String>, V: IntoField<T>>(entries: impl IntoIterator<Item = (K, V)>) -> Given {
    let given = entries.into_iter().map(|(key, value)| (key.into(), value.into_given()));
    let (entries, texts) = Given::all(given, |key: &String| format!("/{}", escape(key)));
    Given { value: Some(Value::Object(entries.into_iter().collect())), texts }
}

/// How a setter was given several values; the compiler infers it.
pub struct Several;
/// How a setter was given several values or none; the compiler infers it.
pub struct Optional;
/// How a setter was given a list that may be cleared; the compiler infers it.
pub struct Clearing;
/// How a setter was given a list that may be cleared, or none; the compiler infers it.
pub struct OptionalClearing;

impl<T, V: IntoField<T>, I: IntoIterator<Item = V>> IntoList<T, Several> for I {
    fn into_given(self) -> Given {
        list(self)
    }
}

impl<T, V: IntoField<T>, I: IntoIterator<Item = V>> IntoList<T, Optional> for Option<I> {
    fn into_given(self) -> Given {
        self.map_or_else(Given::absent, list)
    }
}

impl<T: Serialize> IntoList<T, Clearing> for Nullable<Vec<T>> {
    fn into_given(self) -> Given {
        Given::present(&self)
    }
}

impl<T: Serialize> IntoList<T, OptionalClearing> for Option<Nullable<Vec<T>>> {
    fn into_given(self) -> Given {
        Given::typed(&self)
    }
}

impl<T, K: Into<String>, V: IntoField<T>, I: IntoIterator<Item = (K, V)>> IntoMap<T, Several> for I {
    fn into_given(self) -> Given {
        map(self)
    }
}

impl<T, K: Into<String>, V: IntoField<T>, I: IntoIterator<Item = (K, V)>> IntoMap<T, Optional> for Option<I> {
    fn into_given(self) -> Given {
        self.map_or_else(Given::absent, map)
    }
}
