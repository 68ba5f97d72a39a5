//! Upgrades and CONNECT: bytes both ways, between both protocols, and what is no tunnel.

mod connect;
mod ends;
mod moves;
mod refusals;
mod sides;
mod websocket;
