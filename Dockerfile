# syntax=docker/dockerfile:1
# One image, one executable; the role is the command:
#   docker build -t thumbline --build-arg COMMIT="$(git rev-parse HEAD)" .
#   docker run --rm thumbline --help

FROM rust:1.95-bookworm AS build
# nasm: SIMD for libjpeg, which decodes the rarer kinds of JPEG.
RUN apt-get update && apt-get install -y --no-install-recommends nasm && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
ARG COMMIT=unknown
# The image's own toolchain, rather than one with the components that only developers need.
ENV RUSTUP_TOOLCHAIN=1.95.0 THUMBLINE_COMMIT=$COMMIT
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/source/target \
    cargo build --release --locked && cp target/release/thumbline /thumbline && mkdir /data

FROM gcr.io/distroless/cc-debian12:nonroot
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="Thumbline" \
      org.opencontainers.image.description="Turns every upload into its thumbnails and other representations, in the background" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.revision="$COMMIT"
COPY --from=build /thumbline /usr/local/bin/thumbline
# For SQLite, local files and uploads while they arrive; all else may be read-only, but for /tmp.
COPY --from=build --chown=nonroot:nonroot /data /data
ENV THUMBLINE__DATABASE__URL=sqlite:/data/thumbline.db THUMBLINE__BLOBS__URL=file:/data/blobs
VOLUME /data
WORKDIR /data
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=6 CMD ["thumbline", "health"]
ENTRYPOINT ["thumbline"]
CMD ["--help"]
