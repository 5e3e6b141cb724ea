//! API Gateway v1 with AWS's manners, for tests.
