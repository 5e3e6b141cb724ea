# syntax=docker/dockerfile:1
FROM rust:1.94-bookworm AS build
# The TLS provider has C in it.
RUN apt-get update && apt-get install -y --no-install-recommends cmake && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --locked --release --package plumbline --bin plumbline

# glibc, CA certificates, and a user that is nobody in particular (65532).
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/release/plumbline /usr/local/bin/plumbline
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/plumbline"]
CMD ["run"]
