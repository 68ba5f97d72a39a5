//! What the fuzz targets check, beyond "does not panic".

pub mod http1;
pub mod http2;
