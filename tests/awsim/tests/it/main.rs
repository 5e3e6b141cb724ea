//! What one sees of awsim from outside.

mod exports;
mod faults;
mod live;
mod patches;
mod principals;
mod quotas;
mod recorded;
mod seeds;
mod served;
mod stages;
mod world;
