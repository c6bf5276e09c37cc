# SPDX-License-Identifier: Apache-2.0
# This tree on Debian 12, with the packages that the two commands of README.md need:
#   docker build -t slabmill .
#   docker run --rm -it slabmill ./bazelw run //fuzz:overnight -- --minutes 2
#   docker run --rm -it slabmill ./bazelw test //...
# tools/release carries out these lines on a Debian of its own, and knows only FROM debian:12, ENV,
# WORKDIR, COPY and RUN.
FROM debian:12
ENV DEBIAN_FRONTEND=noninteractive
RUN apt-get -q update && apt-get -q install -y --no-install-recommends git
WORKDIR /slabmill
COPY . .
# bazelw installs what is missing before it starts Bazel.
RUN ./bazelw --version && rm -rf /var/lib/apt/lists/*
