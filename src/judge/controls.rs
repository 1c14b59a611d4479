//! Detectors whose scores are known beforehand. They are judged on every run; if one is off, the scale is.
