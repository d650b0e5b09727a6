# The engine alone: the hot path, its worker and its configuration. Built once, run read-only as nobody.
FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts && npm cache clean --force

FROM node:24-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/node_modules ./node_modules
COPY package.json ./
COPY config ./config
COPY shared ./shared
COPY hotpath ./hotpath
RUN mkdir -p /var/lib/arbitrage && chown 10001:10001 /var/lib/arbitrage
USER 10001:10001
VOLUME /var/lib/arbitrage
# The engine writes its status beside the journal every second: older than this, and it hangs.
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 CMD ["node", "hotpath/health.ts"]
# Signals reach the engine itself (an init process is asked of the container runtime); SIGTERM drains and closes.
CMD ["node", "--single-threaded-gc", "--min-semi-space-size=16", "--max-semi-space-size=16", "hotpath/main.ts"]
