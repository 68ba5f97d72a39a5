//! Both codecs from outside: golden files, round trips, and other implementations as oracle.

mod http1;
