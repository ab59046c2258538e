import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { Refusal } from '../errors.js'

/** The largest file that is read, in bytes: a hundred times what a large world or policy has. */
export const MAX_FILE_BYTES = 4 * 1024 * 1024

/** A file that was not read. The message says why and quotes nothing of the file. */
export class FileError extends Error {
  /** @param code the system's, such as `ENOENT`; `not_regular` or `too_large` */
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message)
  }
}

/**
 * Reads a regular file of at most {@link MAX_FILE_BYTES}.
 *
 * A directory, a device, a pipe or a socket is refused before it is opened: a device may never end and a
 * pipe may never begin.
 *
 * @param path as the user gave it
 * @throws FileError if the file cannot be read, is not regular or is too large
 */
export function readRegularFile(path: string): Buffer {
  try {
    requireRegular(statSync(path))
    // Not blocking: the file may have been replaced by a pipe since.
    const file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
    try {
      requireRegular(fstatSync(file))
      return readAll(file)
    } finally {
      closeSync(file)
    }
  } catch (error) {
    throw error instanceof Error && 'code' in error && typeof error.code === 'string'
      ? new FileError(error.code, withoutCall(error.message))
      : error
  }
}

/**
 * Reads a file that a user has named.
 *
 * @param what is in it, for the message, e.g. `policy`
 * @throws Refusal of that code for what {@link readRegularFile} refuses
 */
export function readFileBytes(path: string, what: string, code: string): Buffer {
  try {
    return readRegularFile(path)
  } catch (error) {
    if (!(error instanceof FileError)) throw error
    throw new Refusal(
      code,
      `cannot read the ${what} ${JSON.stringify(path)} (${error.message})`,
      'check the path',
    )
  }
}

/** Likewise, as text. */
export function readTextFile(path: string, what: string, code: string): string {
  return readFileBytes(path, what, code).toString('utf8')
}

interface Kind {
  readonly size: number
  isFile(): boolean
  isDirectory(): boolean
}

function requireRegular(kind: Kind): void {
  if (kind.isDirectory()) throw new FileError('not_regular', 'it is a directory: name a file in it')
  if (!kind.isFile()) throw new FileError('not_regular', 'it is a device, a pipe or a socket: name a file')
  if (kind.size > MAX_FILE_BYTES) throw tooLarge()
}

/** Files under /proc say that their size is 0: the bytes are counted as they come. */
function readAll(file: number): Buffer {
  const chunks: Buffer[] = []
  let size = 0
  while (size <= MAX_FILE_BYTES) {
    const chunk = Buffer.allocUnsafe(64 * 1024)
    const read = readSync(file, chunk)
    if (read === 0) return Buffer.concat(chunks, size)
    chunks.push(chunk.subarray(0, read))
    size += read
  }
  throw tooLarge()
}

function tooLarge(): FileError {
  return new FileError(
    'too_large',
    `it has more than ${MAX_FILE_BYTES} bytes (4 MiB), the most that is read: make it smaller`,
  )
}

/** `ENOENT: no such file or directory` of `ENOENT: no such file or directory, open '/x'`. */
function withoutCall(message: string): string {
  return message.replace(/, [a-z]+( '.*')?$/s, '')
}
