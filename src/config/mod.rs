//! Settings (flags, then `RENZHENG_*`, then `renzheng.toml`) and job files; the only place that reads the environment.
