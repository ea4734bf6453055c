//! Connection strings as they stand in a shop's environment.
//!
//! Prisma, libpq and sqlx each know other parameters, refuse or log those that they don't know, and
//! explain a wrong string by showing it. So we read them ourselves, keep what matters to a watcher and drop
//! the rest, and never show more of a wrong one than the part that holds no secret.

use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use std::fmt;
use std::path::PathBuf;

/// Where a database is.
#[derive(Debug)]
pub enum Address {
    Postgres(Server),
    /// The file of an SQLite database.
    Sqlite(PathBuf),
}

/// A PostgreSQL server, or a pooler that speaks like one, and who we are there.
#[derive(Debug)]
pub struct Server {
    /// A name, an address, or the directory of a socket.
    host: String,
    port: u16,
    user: String,
    password: SecretString,
    database: String,
    /// `sslmode` where it is given.
    mode: Option<PgSslMode>,
    /// Prisma's `sslaccept=strict`.
    strict: bool,
    /// The file with the certificates to trust beside the system's.
    pub ca: Option<PathBuf>,
    /// Prisma's `schema`: the one that unqualified names are looked for in.
    pub schema: Option<String>,
    application: String,
}

/// What is wrong with a connection string, without the string.
#[derive(Debug, PartialEq, Eq)]
pub struct Wrong {
    pub text: String,
    pub hint: Option<&'static str>,
}

fn wrong<T>(text: impl Into<String>, hint: &'static str) -> Result<T, Wrong> {
    Err(Wrong { text: text.into(), hint: Some(hint) })
}

const FORM: &str = "write `postgresql://user:password@host:5432/database` or `sqlite:/path/to/file`";
const ENCODE: &str = "write special characters of user and password percent-encoded: `@` as `%40`, `#` as `%23`, `/` as `%2F`, `?` as `%3F`";

/// Schemes that are known for sure to be schemes.
const OTHERS: [&str; 11] = [
    "cockroachdb",
    "http",
    "https",
    "mariadb",
    "mongodb",
    "mongodb+srv",
    "mssql",
    "mysql",
    "redis",
    "rediss",
    "sqlserver",
];

impl Address {
    /// Reads a connection string.
    pub fn parse(url: &str) -> Result<Address, Wrong> {
        let url = url.trim().trim_matches('"');
        let Some((scheme, rest)) = url.split_once(':') else {
            return wrong("this is no connection string: it has no scheme", FORM);
        };
        match scheme.to_ascii_lowercase().as_str() {
            "postgres" | "postgresql" => match rest.strip_prefix("//") {
                Some(rest) => Server::parse(rest).map(Address::Postgres),
                None => wrong("this is no connection string: `//` must follow the scheme", FORM),
            },
            "sqlite" | "file" => sqlite(rest),
            "prisma" | "prisma+postgres" => wrong(
                "an address of Prisma Accelerate can't be watched: it speaks Prisma's own protocol",
                "give the database's own address, as in `DIRECT_DATABASE_URL`",
            ),
            scheme if OTHERS.contains(&scheme) => {
                wrong(format!("databases of the scheme `{scheme}` can't be watched"), FORM)
            }
            // What stands before the colon may be a secret, so it is not shown.
            _ => wrong("this is no connection string: it has no scheme", FORM),
        }
    }
}

/// `sqlite:path`, `sqlite:///path`, `file:path`. Parameters are dropped: we always read only.
fn sqlite(rest: &str) -> Result<Address, Wrong> {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    let path = path.split(['?', '#']).next().unwrap_or_default();
    if path.is_empty() || path == ":memory:" || path == "memory" {
        return wrong("this names no file, and an empty database has nothing to watch", FORM);
    }
    Ok(Address::Sqlite(PathBuf::from(decode(path)?)))
}

impl Server {
    /// What follows `postgresql://`.
    fn parse(rest: &str) -> Result<Server, Wrong> {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        let (before, parameters) = tail.split_once('?').unwrap_or((tail, ""));
        // An `@` past the authority is the end of a password in which something was not encoded.
        if before.contains(['@', '#']) || (!authority.contains('@') && parameters.contains('@')) {
            return wrong("the password or user holds a character that ends it", ENCODE);
        }
        let Some((credentials, host)) = authority.rsplit_once('@') else {
            return wrong("the address names no user", FORM);
        };
        let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
        let (user, password) = (decode(user)?, decode(password)?);
        if user.is_empty() {
            return wrong("the address names no user", FORM);
        }
        let (host, port) = host_and_port(host)?;
        let database = decode(before.trim_start_matches('/'))?;
        let database = if database.is_empty() { user.clone() } else { database };
        let mut server = Server {
            host,
            port,
            user,
            password: SecretString::from(password),
            database,
            mode: None,
            strict: false,
            ca: None,
            schema: None,
            application: "atalaya".to_owned(),
        };
        server.take_parameters(parameters)?;
        if server.host.is_empty() {
            return wrong("the address names no host", FORM);
        }
        Ok(server)
    }

    /// Keeps what matters and drops the rest: what tunes Prisma's pool (`connection_limit`, `pool_timeout`), what says
    /// what we do anyway (`pgbouncer`), what the run's own deadline decides (`connect_timeout`), and what a
    /// pooler refuses (`options`).
    fn take_parameters(&mut self, parameters: &str) -> Result<(), Wrong> {
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match key {
                "sslmode" => self.mode = Some(tls_mode(value)?),
                "sslaccept" => self.strict = value == "strict",
                "sslrootcert" => self.ca = Some(PathBuf::from(decode(value)?)),
                "schema" => self.schema = Some(decode(value)?).filter(|schema| !schema.is_empty()),
                "application_name" => self.application = decode(value)?,
                "host" => self.host = decode(value)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Trusts the certificates in a file that the check names. `Err` where the address says that nothing is verified.
    pub fn trust(&mut self, ca: PathBuf) -> Result<(), Wrong> {
        if matches!(self.mode, Some(PgSslMode::Prefer | PgSslMode::Disable)) {
            return wrong(
                "with the `sslmode` of the address no certificate is verified, so the file would be of no use",
                "write `sslmode=verify-full` in the address",
            );
        }
        self.ca = Some(ca);
        Ok(())
    }

    /// As libpq and Prisma have it: verified is what is asked for, and who gives certificates asks for it.
    fn tls(&self) -> PgSslMode {
        match (self.mode, self.ca.is_some()) {
            (None, true) => PgSslMode::VerifyFull,
            (Some(PgSslMode::Prefer | PgSslMode::Require) | None, _) if self.strict => PgSslMode::VerifyFull,
            (Some(PgSslMode::Require), true) => PgSslMode::VerifyCa,
            (mode, _) => mode.unwrap_or(PgSslMode::Prefer),
        }
    }

    /// How sqlx connects. Set field by field: what sqlx would read from a URL it logs where it doesn't know it.
    pub fn options(&self) -> PgConnectOptions {
        let options = PgConnectOptions::new_without_pgpass()
            .port(self.port)
            .username(&self.user)
            .password(self.password.expose_secret())
            .database(&self.database)
            .ssl_mode(self.tls())
            .application_name(&self.application)
            .statement_cache_capacity(0)
            // A pooler refuses the connection where it doesn't know a start-up parameter.
            .extra_float_digits(None)
            // A statement in the log would show literals.
            .disable_statement_logging();
        match self.host.strip_prefix('/') {
            Some(_) => options.socket(&self.host),
            None => options.host(&self.host),
        }
    }

    /// How texts name it: `db.example.com:5432/shop`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.place(), self.database)
    }

    /// Where it listens: `db.example.com:5432`.
    pub fn place(&self) -> String {
        match self.host.as_str() {
            host if host.contains(':') => format!("[{host}]:{}", self.port),
            host => format!("{host}:{}", self.port),
        }
    }

    pub fn user(&self) -> &str {
        &self.user
    }

    pub fn database(&self) -> &str {
        &self.database
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

fn host_and_port(text: &str) -> Result<(String, u16), Wrong> {
    if text.contains(',') {
        return wrong("the address names several hosts", "watch each host with a check of its own");
    }
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':').unwrap_or(port)),
        None => text.split_once(':').unwrap_or((text, "")),
    };
    let port = match port {
        "" => 5432,
        port => match port.parse::<u16>() {
            Ok(port) if port > 0 => port,
            // What stands there may be the end of a password, so it is not shown.
            _ => return wrong("the port is not a number between 1 and 65535", ENCODE),
        },
    };
    Ok((decode(host)?, port))
}

fn tls_mode(value: &str) -> Result<PgSslMode, Wrong> {
    Ok(match value {
        "disable" => PgSslMode::Disable,
        // sqlx has no `allow`; as Prisma does, the safer neighbour is taken.
        "prefer" | "allow" => PgSslMode::Prefer,
        "require" => PgSslMode::Require,
        "verify-ca" => PgSslMode::VerifyCa,
        "verify-full" => PgSslMode::VerifyFull,
        _ => {
            return wrong(
                "the `sslmode` is unknown",
                "it is one of `disable`, `prefer`, `require`, `verify-ca`, `verify-full`",
            );
        }
    })
}

fn decode(text: &str) -> Result<String, Wrong> {
    match percent_decode_str(text).decode_utf8() {
        Ok(text) if !text.contains('\0') => Ok(text.into_owned()),
        _ => wrong("a part of the address is not UTF-8 once its percent signs are decoded", ENCODE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use percent_encoding::NON_ALPHANUMERIC;
    use proptest::prelude::*;

    /// User, password, place, database, TLS.
    fn check(url: &str, expected: (&str, &str, &str, &str, PgSslMode)) -> Server {
        let Ok(Address::Postgres(server)) = Address::parse(url) else { panic!("not taken: {url}") };
        let found = (
            server.user(),
            server.password.expose_secret(),
            &*server.place(),
            server.database(),
            server.tls(),
        );
        assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{url}");
        server
    }

    #[test]
    fn the_strings_that_shops_have_are_understood() {
        use PgSslMode::{Prefer, Require, VerifyCa, VerifyFull};
        let shop = "postgresql://postgres.abcdef:p%40ss%2Fw%23@aws-0-eu.pooler.supabase.com:6543/postgres\
                    ?pgbouncer=true&connection_limit=20&pool_timeout=20&schema=shop&sslmode=require&connect_timeout=5";
        let place = "aws-0-eu.pooler.supabase.com:6543";
        let server = check(shop, ("postgres.abcdef", "p@ss/w#", place, "postgres", Require));
        assert_eq!(server.schema.as_deref(), Some("shop"));
        check("postgres://u@db", ("u", "", "db:5432", "u", Prefer));
        check("\"postgres://u:p@db/shop\"", ("u", "p", "db:5432", "shop", Prefer));
        check("postgres://u:p@[2001:db8::1]:6432/shop", ("u", "p", "[2001:db8::1]:6432", "shop", Prefer));
        check("postgres://u:p@[::1]/shop", ("u", "p", "[::1]:5432", "shop", Prefer));
        check("postgres://u:a:b@c@db/shop", ("u", "a:b@c", "db:5432", "shop", Prefer));
        check("postgres://u:p@db/shop?sslaccept=strict", ("u", "p", "db:5432", "shop", VerifyFull));
        check("postgres://u:p@db/shop?sslmode=verify-ca", ("u", "p", "db:5432", "shop", VerifyCa));
        check("postgres://u:p@db/shop?sslrootcert=/ca", ("u", "p", "db:5432", "shop", VerifyFull));
        check("postgres://u:p@db/a?sslmode=require&sslrootcert=/ca", ("u", "p", "db:5432", "a", VerifyCa));
        check("postgres://u:p@/shop?host=/run/pg", ("u", "p", "/run/pg:5432", "shop", Prefer));
    }

    #[test]
    fn a_wrong_string_is_explained_and_never_shown() {
        for (url, expected) in [
            ("hunter2", "this is no connection string: it has no scheme"),
            ("hunter2:x@y", "this is no connection string: it has no scheme"),
            ("mysql://u:hunter2@db/shop", "databases of the scheme `mysql` can't be watched"),
            ("prisma://accelerate?api_key=hunter2", "an address of Prisma Accelerate can't be watched"),
            ("postgres:u:hunter2@db/shop", "`//` must follow the scheme"),
            ("postgres://u:hunter2/3@db/shop", "holds a character that ends it"),
            ("postgres://u:hunter2#3@db/shop", "holds a character that ends it"),
            ("postgres://u:hunter2?3@db/shop", "holds a character that ends it"),
            ("postgres://u:hunter2@db:5432x/shop", "the port is not a number between 1 and 65535"),
            ("postgres://u:hunter2@db:0/shop", "the port is not a number between 1 and 65535"),
            ("postgres://u:hunter2@a:1,b:2/shop", "the address names several hosts"),
            ("postgres://u:hunter2@/shop", "the address names no host"),
            ("postgres://db/hunter2", "the address names no user"),
            ("postgres://:hunter2@db/shop", "the address names no user"),
            ("postgres://u:hunter2%ff@db/shop", "not UTF-8"),
            ("postgres://u:hunter2@db/shop?sslmode=hunter2", "the `sslmode` is unknown"),
            ("sqlite::memory:", "this names no file"),
            ("sqlite:", "this names no file"),
        ] {
            let wrong = Address::parse(url).expect_err(url);
            assert!(wrong.text.contains(expected), "{url}: {}", wrong.text);
            assert!(!format!("{wrong:?}").contains("hunter2"), "{wrong:?}");
        }
    }

    #[test]
    fn the_file_of_an_embedded_database_is_found() {
        for url in [
            "sqlite:/var/shop.db",
            "sqlite:///var/shop.db",
            "sqlite:///var/shop.db?mode=rwc",
            "file:/var/shop.db",
        ] {
            let Ok(Address::Sqlite(path)) = Address::parse(url) else { panic!("not taken: {url}") };
            assert_eq!(path, PathBuf::from("/var/shop.db"));
        }
    }

    #[test]
    fn a_server_can_be_printed_without_its_password() {
        let server =
            check("postgres://u:hunter2@db/shop", ("u", "hunter2", "db:5432", "shop", PgSslMode::Prefer));
        assert!(!format!("{server:?} {server}").contains("hunter2"));
        assert_eq!(server.name(), "db:5432/shop");
    }

    proptest! {
        #[test]
        fn a_password_is_in_no_text_whatever_stands_in_the_address(
            scheme in "(postgres(ql)?|sqlite|mysql|prisma|POSTGRES|p{0,1})", slashes in "[:]?/{0,3}",
            user in "[a-z:/@?#%]{0,4}", before in "[a-z:%&=]{0,4}", after in "[a-z:/?#@&=% \\[\\],]{0,6}",
            rest in "(?s)(@?db(:[0-9a-z]{0,6})?(/[a-z/?#]{0,3})?(\\?(sslmode=[a-z]{0,3}|host=%2F|&|schema=%ff){0,3})?|.{0,8})",
        ) {
            let url = format!("{scheme}{slashes}{user}:{before}hunter2{after}{rest}");
            let shown = match Address::parse(&url) {
                Err(wrong) => format!("{wrong:?}"),
                // What stands where a name does is no password, by the grammar of addresses.
                Ok(Address::Postgres(server)) if server.password.expose_secret().contains("hunter2") => {
                    format!("{server} {server:?} {} {}", server.place(), server.user())
                }
                Ok(_) => String::new(),
            };
            prop_assert!(!shown.contains("hunter2"), "{url}: {shown}");
        }

        #[test]
        fn what_is_percent_encoded_is_read_back(password in "(?s)[^\0]{0,12}", user in "[^\0]{1,8}") {
            let encode = |text: &str| percent_encoding::utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
            let url = format!("postgresql://{}:{}@db/shop", encode(&user), encode(&password));
            let Ok(Address::Postgres(server)) = Address::parse(&url) else { panic!("not taken: {url}") };
            prop_assert_eq!((server.user(), server.password.expose_secret()), (&*user, &*password));
        }
    }
}
