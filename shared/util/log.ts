/** Where the product says what went wrong on its side. Never stdout: on stdio that is the protocol's. */
export interface Log {
  warn(message: string, cause?: unknown): void
  error(message: string, cause?: unknown): void
}

/** For a library: what embeds it decides what is printed. */
export const silentLog: Log = { warn: () => undefined, error: () => undefined }
