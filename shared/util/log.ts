/** The log of the program. It never writes to stdout, where MCP messages go on stdio. */
export interface Log {
  warn(message: string, cause?: unknown): void
  error(message: string, cause?: unknown): void
}

/**
 * Discards all messages. A library uses it by default, because the program around it decides what is logged.
 */
export const silentLog: Log = { warn: () => undefined, error: () => undefined }
