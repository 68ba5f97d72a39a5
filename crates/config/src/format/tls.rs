//! TLS on both sides, and certificates obtained by ACME.

use super::{
    BOOL, DAY, ENVIRONMENT, FILE_NAME, NAME, Rule, SECOND, Shape, TEXT, Table, default, duration,
    optional, required,
};
use crate::scalar::Scalar;

const VERSION: Shape = Shape::Scalar(Scalar::Choice(&["1.2", "1.3"]));
const HOSTNAME: Shape = Shape::Scalar(Scalar::Hostname);

pub(super) static LISTENER_TLS: Table = Table {
    name: "listener_tls",
    about: "TLS of a listener. Files are read again when they change; connections stay.",
    keys: &[
        optional(
            "certificates",
            Shape::List { item: &Shape::Table(&CERTIFICATE), min: 1 },
            "Certificates, chosen by the name that the client asks for; the first is the default.",
        ),
        optional(
            "certificates_dir",
            FILE_NAME,
            "Directory with more certificates: `NAME.pem` or `NAME.crt`, the key in `NAME.key` or \
             in the same file, an OCSP response in `NAME.ocsp`; or directories as certbot and \
             Kubernetes make them. At most 100,000.",
        ),
        optional(
            "acme",
            Shape::Scalar(Scalar::True),
            "Also serve the certificates of the section `acme`, and answer its challenges.",
        ),
        default(
            "policy",
            Shape::Scalar(Scalar::Choice(&["modern", "intermediate"])),
            "intermediate",
            "Preset of versions and suites after Mozilla's: `modern` is TLS 1.3 only, \
             `intermediate` also 1.2 with ECDHE and AEAD.",
        ),
        default("min_version", VERSION, "1.2", "Lowest version of TLS, if above the policy's."),
        default(
            "require_sni_match",
            BOOL,
            "false",
            "Answer 421 to a request for another host than the one that the client named in its \
             handshake. Without a name there, only an IP address may be asked for.",
        ),
        optional(
            "ticket_keys",
            Shape::Table(&TICKET_KEYS),
            "Keys of session tickets that gateways share. Left out: random ones of the process.",
        ),
        optional(
            "client_certificates",
            Shape::Table(&CLIENT_CERTIFICATES),
            "Certificates that clients are asked for (mutual TLS). Left out: none.",
        ),
    ],
    rules: &[Rule::AtLeastOne(&["certificates", "certificates_dir", "acme"])],
    hints: &[
        ("certificate_file", "it stands in an item of `certificates`"),
        ("private_key_file", "it stands in an item of `certificates`"),
        ("ca_file", "for clients' certificates it stands in `client_certificates`"),
        ("client_auth", "it is called `client_certificates`"),
        ("ciphers", "choose a `policy`: suites are not chosen one by one"),
    ],
};

pub(super) static CERTIFICATE: Table = Table {
    name: "certificate",
    about: "A certificate chain and its private key.",
    keys: &[
        required("certificate_file", FILE_NAME, "PEM file with the chain, leaf first."),
        optional("private_key_file", FILE_NAME, "PEM file with the private key."),
        optional(
            "private_key_env",
            ENVIRONMENT,
            "Name of the environment variable that holds the private key as PEM.",
        ),
        optional(
            "ocsp_file",
            FILE_NAME,
            "DER file with an OCSP response to staple, as long as it is fresh and says \"good\".",
        ),
    ],
    rules: &[Rule::ExactlyOne(&["private_key_file", "private_key_env"])],
    hints: &[
        ("private_key", PRIVATE_KEY_HINT),
        ("key", PRIVATE_KEY_HINT),
        ("key_file", "the file with the private key is called `private_key_file`"),
        ("certificate", "name the PEM file in `certificate_file`"),
        ("cert", "name the PEM file in `certificate_file`"),
        ("cert_file", "the file with the chain is called `certificate_file`"),
    ],
};

const PRIVATE_KEY_HINT: &str = "a private key must not stand in the configuration: put it in a file and name it in \
     `private_key_file`, or in an environment variable and name that in `private_key_env`";

static TICKET_KEYS: Table = Table {
    name: "ticket_keys",
    about: "Keys of session tickets in files, so that several gateways and restarts share them. \
            Rotate them: whoever has them can read what was recorded of resumed TLS 1.2 sessions.",
    keys: &[required(
        "files",
        Shape::List { item: &FILE_NAME, min: 1 },
        "Files of 80 (or 48) random bytes each, as nginx has them. The first seals, all open.",
    )],
    rules: &[],
    hints: &[],
};

static CLIENT_CERTIFICATES: Table = Table {
    name: "client_certificates",
    about: "Mutual TLS. Who the client is goes to upstreams in `x-forwarded-client-cert`, which is \
            removed from every request that comes in.",
    keys: &[
        required("ca_file", FILE_NAME, "PEM file with the trust anchors of clients."),
        default(
            "mode",
            Shape::Scalar(Scalar::Choice(&["required", "optional"])),
            "required",
            "Whether a client without a certificate is turned away. A certificate that is shown \
             must be good either way.",
        ),
        optional(
            "match",
            Shape::List { item: &Shape::Table(&NAME_MATCH), min: 1 },
            "Names of which a certificate must have one. Left out: any certificate of the anchors.",
        ),
        optional(
            "crl_file",
            FILE_NAME,
            "PEM file with revocation lists; one for each issuer of a chain, none out of date.",
        ),
    ],
    rules: &[],
    hints: &[("verify", "it is called `mode`"), ("crl", "it is called `crl_file`")],
};

static NAME_MATCH: Table = Table {
    name: "name_match",
    about: "A subject alternative name.",
    keys: &[
        optional("san_dns", HOSTNAME, "DNS name; `*.` stands for one label."),
        optional("san_uri", TEXT, "URI; a `*` at its end stands for anything."),
        optional(
            "spiffe",
            TEXT,
            "SPIFFE id, `spiffe://domain/path`; a `*` at its end stands for anything.",
        ),
    ],
    rules: &[Rule::ExactlyOne(&["san_dns", "san_uri", "spiffe"])],
    hints: &[],
};

pub(super) static UPSTREAM_TLS: Table = Table {
    name: "upstream_tls",
    about: "TLS towards a cluster. Certificates are verified.",
    keys: &[
        optional(
            "server_name",
            Shape::Scalar(Scalar::ServerName),
            "Name that is asked for and verified. Left out: the name of the first endpoint that has one, else the domain of `dns_srv`, else each endpoint's address.",
        ),
        optional(
            "subject_alt_names",
            Shape::List { item: &TEXT, min: 1 },
            "Names of which the endpoint's certificate must have one, in place of `server_name`: \
             DNS names, or URIs (`spiffe://…`) in which a `*` at the end stands for anything.",
        ),
        optional("ca_file", FILE_NAME, "PEM file with trust anchors. Left out: the public web's."),
        optional(
            "client_certificate",
            Shape::Table(&CERTIFICATE),
            "The gateway's own certificate, for endpoints that ask for one.",
        ),
        default("min_version", VERSION, "1.2", "Lowest version of TLS."),
        default("insecure_skip_verify", BOOL, "false", "Trust anybody. For tests only."),
    ],
    rules: &[],
    hints: &[("sni", "it is called `server_name`"), ("verify", "see `insecure_skip_verify`")],
};

pub(super) static ACME: Table = Table {
    name: "acme",
    about: "Certificates obtained and renewed by ACME (RFC 8555). Listeners with `tls.acme` serve them.",
    keys: &[
        default(
            "directory",
            TEXT,
            "https://acme-v02.api.letsencrypt.org/directory",
            "URL of the ACME server's directory. For trials use \
             `https://acme-staging-v02.api.letsencrypt.org/directory`, whose limits are wide.",
        ),
        required(
            "terms_of_service_agreed",
            Shape::Scalar(Scalar::True),
            "That you agree to the terms of service of the ACME server.",
        ),
        optional(
            "contact",
            Shape::List { item: &TEXT, min: 1 },
            "Where the ACME server may reach you, e.g. `mailto:ops@example.com`.",
        ),
        required(
            "domains",
            Shape::List {
                item: &Shape::Either(&HOSTNAME, &Shape::List { item: &HOSTNAME, min: 1 }),
                min: 1,
            },
            "Names, each with a certificate of its own; a list of names shares one.",
        ),
        default(
            "challenge",
            Shape::Scalar(Scalar::Choice(&["http-01", "tls-alpn-01", "dns-01"])),
            "http-01",
            "How names are proved: a listener on port 80, one with `tls.acme` on port 443, or DNS \
             by `dns_hook`, which alone does wildcards.",
        ),
        optional(
            "dns_hook",
            FILE_NAME,
            "Program for `dns-01`, called with `present` or `cleanup`; see docs/tls.md.",
        ),
        default(
            "dns_wait",
            duration(0, 3_600 * SECOND),
            "30s",
            "How long a DNS record takes until the ACME server sees it.",
        ),
        required(
            "storage",
            FILE_NAME,
            "Directory for the account's key and the certificates; must be writable, and kept.",
        ),
        default(
            "renew_before",
            duration(60 * SECOND, 365 * DAY),
            "30d",
            "How long before its end a certificate is renewed, at most a third of its life.",
        ),
        optional(
            "ca_file",
            FILE_NAME,
            "PEM file with the trust anchor of the ACME server itself. Left out: the system's.",
        ),
        optional(
            "external_account",
            Shape::Table(&EXTERNAL_ACCOUNT),
            "Account at the certificate authority, for those that ask for one.",
        ),
    ],
    rules: &[],
    hints: &[
        ("email", "write `contact: [\"mailto:…\"]`"),
        ("server", "it is called `directory`"),
        ("url", "it is called `directory`"),
    ],
};

static EXTERNAL_ACCOUNT: Table = Table {
    name: "external_account",
    about: "External account binding (RFC 8555 §7.3.4).",
    keys: &[
        required("key_id", NAME, "The key's identifier."),
        optional("secret_file", FILE_NAME, "File with the MAC key, in base64url."),
        optional(
            "secret_env",
            ENVIRONMENT,
            "Name of the environment variable that holds the MAC key, in base64url.",
        ),
    ],
    rules: &[Rule::ExactlyOne(&["secret_file", "secret_env"])],
    hints: &[],
};
