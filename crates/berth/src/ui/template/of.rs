//! A document → what templates see of it: its structs stay structs, its maps maps.

use std::collections::BTreeMap;

use serde::ser::{
    Error as _, Impossible, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeTuple,
    Serializer,
};
use serde_json::Error;

use super::value::Value;

impl Value {
    /// The value of a document.
    pub fn of(document: &impl Serialize) -> Value {
        document
            .serialize(Reader)
            .expect("our documents have texts for keys and no enums with content")
    }
}

struct Reader;

/// Items of a list.
struct Items(Vec<Value>);

/// Entries of a map, and the key whose value comes next.
#[derive(Default)]
struct Entries(BTreeMap<String, Value>, Option<String>);

/// Fields of a struct.
struct Fields(Vec<(String, Value)>);

type Nothing = Impossible<Value, Error>;

fn unforeseen<T>() -> Result<T, Error> {
    Err(Error::custom("a form that documents do not have"))
}

impl Serializer for Reader {
    type Ok = Value;
    type Error = Error;
    type SerializeSeq = Items;
    type SerializeTuple = Items;
    type SerializeMap = Entries;
    type SerializeStruct = Fields;
    type SerializeTupleStruct = Nothing;
    type SerializeTupleVariant = Nothing;
    type SerializeStructVariant = Nothing;

    fn serialize_bool(self, value: bool) -> Result<Value, Error> {
        Ok(Value::Bool(value))
    }

    fn serialize_i8(self, value: i8) -> Result<Value, Error> {
        Ok(Value::Int(value.into()))
    }

    fn serialize_i16(self, value: i16) -> Result<Value, Error> {
        Ok(Value::Int(value.into()))
    }

    fn serialize_i32(self, value: i32) -> Result<Value, Error> {
        Ok(Value::Int(value.into()))
    }

    fn serialize_i64(self, value: i64) -> Result<Value, Error> {
        Ok(Value::Int(value.into()))
    }

    fn serialize_u8(self, value: u8) -> Result<Value, Error> {
        Ok(Value::Int(value.into()))
    }

    fn serialize_u16(self, value: u16) -> Result<Value, Error> {
        Ok(Value::Int(value.into()))
    }

    fn serialize_u32(self, value: u32) -> Result<Value, Error> {
        Ok(Value::Int(value.into()))
    }

    fn serialize_u64(self, value: u64) -> Result<Value, Error> {
        Ok(Value::Int(value.into()))
    }

    fn serialize_f32(self, value: f32) -> Result<Value, Error> {
        Ok(Value::Float(value.into()))
    }

    fn serialize_f64(self, value: f64) -> Result<Value, Error> {
        Ok(Value::Float(value))
    }

    fn serialize_char(self, value: char) -> Result<Value, Error> {
        Ok(Value::Str(value.to_string()))
    }

    fn serialize_str(self, value: &str) -> Result<Value, Error> {
        Ok(Value::Str(value.to_owned()))
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<Value, Error> {
        unforeseen()
    }

    fn serialize_none(self) -> Result<Value, Error> {
        Ok(Value::Nil)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value, Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Value, Error> {
        Ok(Value::Nil)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Value, Error> {
        Ok(Value::Nil)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Value, Error> {
        Ok(Value::Str(variant.to_owned()))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Value, Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<Value, Error> {
        unforeseen()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items, Error> {
        Ok(Items(Vec::new()))
    }

    fn serialize_tuple(self, _: usize) -> Result<Items, Error> {
        Ok(Items(Vec::new()))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Nothing, Error> {
        unforeseen()
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Nothing, Error> {
        unforeseen()
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Entries, Error> {
        Ok(Entries::default())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields, Error> {
        Ok(Fields(Vec::new()))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Nothing, Error> {
        unforeseen()
    }
}

impl SerializeSeq for Items {
    type Ok = Value;
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.0.push(value.serialize(Reader)?);
        Ok(())
    }

    fn end(self) -> Result<Value, Error> {
        Ok(Value::List(self.0))
    }
}

impl SerializeTuple for Items {
    type Ok = Value;
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Result<Value, Error> {
        SerializeSeq::end(self)
    }
}

impl SerializeMap for Entries {
    type Ok = Value;
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        match key.serialize(Reader)? {
            Value::Str(key) => {
                self.1 = Some(key);
                Ok(())
            }
            _ => unforeseen(),
        }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let key = self
            .1
            .take()
            .ok_or_else(|| Error::custom("a value without a key"))?;
        self.0.insert(key, value.serialize(Reader)?);
        Ok(())
    }

    fn end(self) -> Result<Value, Error> {
        Ok(Value::Map(self.0))
    }
}

impl SerializeStruct for Fields {
    type Ok = Value;
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.0.push((name.to_owned(), value.serialize(Reader)?));
        Ok(())
    }

    /// A template may ask for it all the same.
    fn skip_field(&mut self, name: &'static str) -> Result<(), Error> {
        self.0.push((name.to_owned(), Value::Omitted));
        Ok(())
    }

    fn end(self) -> Result<Value, Error> {
        Ok(Value::Struct(self.0))
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::*;

    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Document {
        number: u16,
        pair: (i8, f64),
        list: Vec<Option<&'static str>>,
        map: BTreeMap<&'static str, bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        absent: Option<u8>,
    }

    #[test]
    fn structs_and_maps_stay_what_they_are() {
        let document = Document {
            number: 7,
            pair: (-1, 0.5),
            list: vec![Some("a"), None],
            map: BTreeMap::from([("k", true)]),
            absent: None,
        };
        let value = Value::of(&document);
        assert_eq!(
            format!("{value:?}"),
            "struct({7 [-1 0.5] [a <nil>] map[k:true] })"
        );
        assert_eq!(
            serde_json::to_string(&value).unwrap(),
            serde_json::to_string(&document).unwrap()
        );
    }
}
