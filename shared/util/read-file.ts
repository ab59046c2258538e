import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { Refusal } from '../errors.js'

/**
 * Maximum size of a file that is read, in bytes. It is a hundred times the size of a large world or policy.
 */
export const MAX_FILE_BYTES = 4 * 1024 * 1024

/** The error for a file that could not be read. The message never quotes the file. */
export class FileError extends Error {
  /** @param code `not_regular`, `too_large`, or an error code of the system, such as `ENOENT` */
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
 * A directory, a device, a pipe or a socket is refused before it is opened. Reading a device can go on
 * for ever, and opening a pipe can block.
 *
 * @param path the path as the user wrote it
 * @throws FileError if the file cannot be read, is not regular or is too large
 */
export function readRegularFile(path: string): Buffer {
  try {
    requireRegular(statSync(path))
    // Opens without blocking, because a pipe can have replaced the file after the check.
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
 * Reads a file that the user has named.
 *
 * @param what the content of the file for the error message, for example `policy`
 * @param code the code of the refusal
 * @throws Refusal if {@link readRegularFile} throws a FileError
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

/** Returns the text of a file that the user has named. See {@link readFileBytes}. */
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

/** Counts the bytes as they are read, because files under /proc report a size of 0. */
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
  return new FileError('too_large', `it has more than ${MAX_FILE_BYTES} bytes (4 MiB): make it smaller`)
}

/**
 * Removes the system call from a message: `ENOENT: no such file or directory, open '/x'` loses `, open '/x'`.
 */
function withoutCall(message: string): string {
  return message.replace(/, [a-z]+( '.*')?$/s, '')
}
