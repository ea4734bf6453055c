//! Where Square is, and with which token: what every kind that asks Square has in its definition.

use super::client::Client;
use super::environment::{self, Environment};
use crate::config::text::Text;
use crate::probe::Build;
use reqwest::header::HeaderValue;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::ExposeSecret;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// The version of Square's API that the shop's generation of SDKs speaks.
const VERSION: &str = "2026-05-20";

/// One account at Square, as the kinds beside `square` name it.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// The access token, best of an application of its own that may only read: MERCHANT_PROFILE_READ and
    /// PAYMENTS_READ.
    token: Text,
    /// The environment that is expected to answer: `production` or `sandbox`.
    environment: Text,
    /// Where Square is, in place of the environment's own host: for simulators and proxies. Empty is as left out.
    api_url: Option<Text>,
    /// Ids of the locations whose payments are looked at. Without any: all that the account has.
    #[serde(default)]
    locations: Vec<Text>,
    /// The version of Square's API, `YYYY-MM-DD`, so that an upgrade of the application changes nothing here.
    #[serde(default)]
    version: Version,
}

impl Account {
    /// `key` is the account's own in the probe's table: `square`.
    pub fn access<'a>(&'a self, key: &'a str) -> Access<'a> {
        Access {
            key: Some(key),
            token: &self.token,
            environment: &self.environment,
            api_url: self.api_url.as_ref(),
            locations: &self.locations,
            version: &self.version,
        }
    }
}

/// What the definition says, wherever in it that stands.
pub struct Access<'a> {
    /// The key of the table that holds the rest; `None` where that is the probe's own.
    pub key: Option<&'a str>,
    pub token: &'a Text,
    pub environment: &'a Text,
    pub api_url: Option<&'a Text>,
    pub locations: &'a [Text],
    pub version: &'a Version,
}

impl Access<'_> {
    /// All is asked before any is given up on, so that all that is wrong is told at once.
    pub fn client(&self, build: &mut Build<'_>) -> Option<Client> {
        let token = build.secret(&self.key("token"), self.token);
        let authorization = self.authorization(build);
        let environment = self.environment(build);
        let base = environment.and_then(|environment| self.base(environment, build));
        Some(Client {
            http: build.net.api.clone(),
            base: base?,
            environment: environment?,
            token: token?,
            authorization: authorization?,
            version: HeaderValue::from_str(&self.version.0).ok()?,
        })
    }

    /// The ids that are there after holes are filled; `${SQUARE_LOCATION_ID:-}` may be none.
    pub fn locations(&self, build: &mut Build<'_>) -> Option<Vec<String>> {
        let filled: Vec<_> = self
            .locations
            .iter()
            .enumerate()
            .map(|(at, text)| build.text(&self.key(&format!("locations.{at}")), text))
            .collect();
        let ids: BTreeSet<_> = filled.into_iter().collect::<Option<_>>()?;
        Some(ids.into_iter().map(|id| id.trim().to_owned()).filter(|id| !id.is_empty()).collect())
    }

    fn key<'k>(&self, name: &'k str) -> Cow<'k, str> {
        self.key.map_or(Cow::Borrowed(name), |table| Cow::Owned(format!("{table}.{name}")))
    }

    fn authorization(&self, build: &mut Build<'_>) -> Option<HeaderValue> {
        let token = build.secret(&self.key("token"), self.token)?;
        let token = token.expose_secret();
        if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
            let raw = self.token.raw();
            build.fault_with_hint(
                &self.key("token"),
                format!("`{raw}` is empty, or holds a space or another character that no token has"),
                "give the access token alone, without `Bearer`",
            );
            return None;
        }
        let mut authorization = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
        authorization.set_sensitive(true);
        Some(authorization)
    }

    fn environment(&self, build: &mut Build<'_>) -> Option<Environment> {
        let key = self.key("environment");
        let name = build.text(&key, self.environment)?;
        let environment = Environment::from_name(&name);
        if environment.is_none() {
            let raw = self.environment.raw();
            build.fault(&key, format!("`{raw}` is neither \"production\" nor \"sandbox\""));
        }
        environment
    }

    fn base(&self, environment: Environment, build: &mut Build<'_>) -> Option<String> {
        let key = self.key("api_url");
        let given = optional(&key, self.api_url, build)?;
        if given.is_empty() {
            return Some(format!("https://{}", environment.host()));
        }
        match environment::base_of(&given, environment) {
            Ok(base) => Some(base),
            Err(why) => {
                let raw = self.api_url.map_or("", Text::raw);
                build.fault(&key, format!("`{raw}` {why}"));
                None
            }
        }
    }
}

/// Nothing for what is left out; `None` where a fault was reported.
pub fn optional(key: &str, text: Option<&Text>, build: &mut Build<'_>) -> Option<String> {
    let filled = text.map_or_else(|| Some(String::new()), |text| build.text(key, text))?;
    Some(filled.trim().to_owned())
}

/// A release of Square's API.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Version(String);

impl Default for Version {
    fn default() -> Version {
        Version(VERSION.to_owned())
    }
}

impl TryFrom<String> for Version {
    type Error = String;

    fn try_from(text: String) -> Result<Version, String> {
        match text.parse::<jiff::civil::Date>() {
            Ok(date) if date.to_string() == text => Ok(Version(text)),
            _ => Err(format!("`{text}` is not a version of Square's API such as \"{VERSION}\"")),
        }
    }
}

impl JsonSchema for Version {
    fn schema_name() -> Cow<'static, str> {
        "SquareVersion".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "examples": [VERSION] })
    }
}
