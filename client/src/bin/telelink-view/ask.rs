//! One question to the robot and its answer: `telelink-view call`, `get`, `set` and `fetch`.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{stdout, Write};
use std::time::Duration;

use clap::Subcommand;
use serde_json::{json, Map, Value};
use telelink::protocol::{Parameter, ParameterType, ParameterValue};
use telelink_client::{Picture, Totals, Viewer};

/// How long the robot may take.
const ANSWER: Duration = Duration::from_secs(30);

#[derive(Debug, Subcommand)]
pub(crate) enum Ask {
    /// Call a service and print the answer
    Call {
        /// Name of the service
        service: String,
        /// Request payload
        #[arg(default_value = "")]
        request: String,
        /// Encoding of the request
        #[arg(long, default_value = "json")]
        encoding: String,
    },
    /// Print parameters: those named, or all
    Get {
        /// Names of parameters
        names: Vec<String>,
    },
    /// Set a parameter and print what the robot has now
    Set {
        /// Name of the parameter
        name: String,
        /// Value in JSON; what is no JSON is a string
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// Fetch an asset and write it to standard output
    Fetch {
        /// URI of the asset, for example package://my_robot/urdf/robot.urdf
        uri: String,
    },
}

impl Ask {
    /// Asks, and prints the answer.
    pub(crate) async fn run(&self, viewer: &Viewer, wait: Duration) -> Result<(), Box<dyn Error>> {
        let answer = match self {
            Self::Call { service, request, encoding } => {
                // Services are advertised after serverInfo.
                let offered = |picture: &Picture, _: &Totals| picture.services().values().any(|s| s.name == *service);
                viewer.wait_until(&format!("service {service}"), wait, offered).await?;
                let reply = viewer.call_service(service, encoding, request.clone(), ANSWER).await?;
                line(&reply.payload)
            }
            Self::Get { names } => {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                lines(&viewer.get_parameters(&names, ANSWER).await?)
            }
            Self::Set { name, value } => {
                let parameter = Parameter::new(name.as_str(), from_json(parse(value))?);
                lines(&viewer.set_parameters(vec![parameter], ANSWER).await?)
            }
            Self::Fetch { uri } => viewer.fetch_asset(uri, ANSWER).await?.to_vec(),
        };
        stdout().lock().write_all(&answer)?;
        Ok(())
    }
}

fn line(payload: &[u8]) -> Vec<u8> {
    [payload, b"\n"].concat()
}

/// `name value`, one parameter a line.
fn lines(parameters: &[Parameter]) -> Vec<u8> {
    let line = |parameter: &Parameter| {
        let value = parameter.value.as_ref().map_or(Value::Null, to_json);
        let bytes = if parameter.kind == Some(ParameterType::ByteArray) { " (bytes, in base64)" } else { "" };
        format!("{} {value}{bytes}\n", parameter.name)
    };
    parameters.iter().map(line).collect::<String>().into_bytes()
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

fn from_json(value: Value) -> Result<ParameterValue, String> {
    Ok(match value {
        Value::Null => return Err("null is no value of a parameter".to_owned()),
        Value::Bool(value) => ParameterValue::Bool(value),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => ParameterValue::Integer(integer),
            (None, Some(float)) => ParameterValue::Float(float),
            (None, None) => return Err(format!("{number} is too large")),
        },
        Value::String(text) => ParameterValue::String(text),
        Value::Array(values) => ParameterValue::Array(values.into_iter().map(from_json).collect::<Result<_, _>>()?),
        Value::Object(entries) => {
            let entry = |(key, value)| Ok((key, from_json(value)?));
            ParameterValue::Dict(entries.into_iter().map(entry).collect::<Result<BTreeMap<_, _>, String>>()?)
        }
    })
}

fn to_json(value: &ParameterValue) -> Value {
    match value {
        ParameterValue::Integer(value) => json!(value),
        ParameterValue::Float(value) => json!(value),
        ParameterValue::Bool(value) => json!(value),
        ParameterValue::String(value) => json!(value),
        ParameterValue::Array(values) => values.iter().map(to_json).collect(),
        ParameterValue::Dict(entries) => {
            Value::Object(entries.iter().map(|(key, value)| (key.clone(), to_json(value))).collect::<Map<_, _>>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_to_the_robot_as_json_says_and_come_back_the_same() {
        for text in ["1", "1.5", "true", "\"a\"", "[1,\"a\"]", "{\"a\":{\"b\":[true]}}"] {
            assert_eq!(to_json(&from_json(parse(text)).unwrap()).to_string(), text);
        }
        assert_eq!(from_json(parse("idle")), Ok(ParameterValue::String("idle".into())), "what is no JSON");
        assert!(from_json(parse("[null]")).unwrap_err().contains("null"));
    }

    #[test]
    fn parameters_are_printed_one_a_line() {
        let speed = Parameter::new("/speed", ParameterValue::Float(0.5));
        let unset = Parameter { name: "/gone".into(), kind: None, value: None };
        assert_eq!(String::from_utf8(lines(&[speed, unset])).unwrap(), "/speed 0.5\n/gone null\n");
    }
}
