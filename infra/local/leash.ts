/**
 * Preloaded into every child of a local run: when the parent is gone, however it went, the child goes too. Nobody should find an engine
 * trading in the background after closing a terminal.
 */
process.on('disconnect', () => process.exit(0));
process.channel?.unref();
