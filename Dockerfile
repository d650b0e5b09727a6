# Two images of one base: `engine` (the default) and `simulator`, the venues that answer it on a laptop.
FROM node:24-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts && npm cache clean --force

FROM node:24-slim AS base
ENV NODE_ENV=production
# As npm start runs it: the C library keeps many heaps otherwise, and gives little back.
ENV MALLOC_ARENA_MAX=2
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json ./
COPY shared ./shared
USER 10001:10001

FROM base AS simulator
COPY simulator ./simulator
EXPOSE 8090
CMD ["node", "simulator/main.ts"]

FROM base AS engine
USER root
RUN mkdir -p /var/lib/arbitrage && chown 10001:10001 /var/lib/arbitrage
USER 10001:10001
COPY config ./config
COPY hotpath ./hotpath
ENV ARB_SYSTEM__DATA_DIR=/var/lib/arbitrage
VOLUME /var/lib/arbitrage
# It writes to its volume alone, so that the root file system may be read-only, and listens to nobody. There is no HEALTHCHECK: a fault of its own
# ends the process (whoever runs it starts it again, and starting is recovering), and one that hangs shows in the samples that no longer come.
# SIGTERM ends what is open within 25 seconds and ships the journal; an init process is asked of the container runtime.
STOPSIGNAL SIGTERM
CMD ["node", "--no-parallel-scavenge", "--heap-growing-percent=100", "--min-semi-space-size=16", "--max-semi-space-size=16", "--invocation-count-for-maglev=100", "--invocation-count-for-turbofan=500", "--minimum-invocations-after-ic-update=100", "hotpath/main.ts"]
