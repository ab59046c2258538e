/** The log of the program. It never writes to stdout, which the protocol uses on stdio. */
export interface Log {
  warn(message: string, cause?: unknown): void
  error(message: string, cause?: unknown): void
}

/** For a library: what embeds it decides what is printed. */
export const silentLog: Log = { warn: () => undefined, error: () => undefined }
