import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib'
import { PGlite } from '@electric-sql/pglite'
import { compiled } from '../../../../../shared/util/compiled.js'

/** Bound to the exact engine: a data directory of another build of Postgres would not open. Moves with package.json. */
export const ENGINE_VERSION = '0.5.14'

/** The packed template, beside this module in the built package. The number after the version is its own. */
export const TEMPLATE_FILE = compiled(`./template-${ENGINE_VERSION}-2.bin`, import.meta.url)

/**
 * A data directory in one file: brotli over the length of a JSON table of contents, the table, and the files' bytes.
 *
 * Not a tar, because a package registry's tarball drops empty directories and Postgres needs its own.
 */
interface Contents {
  directories: string[]
  files: { path: string; size: number }[]
}

/**
 * Above 32 MB, the most that glibc keeps to a thread once it is freed. Unpacked in zlib's usual pieces of 16 KB, the
 * template's 12 MB stay with every thread, twice: ten databases took 795 MB instead of 680. Untouched pages cost nothing.
 */
const CHUNK_BYTES = 48 * 1024 * 1024

/** Packs a closed data directory. */
export function packTemplate(directory: string): Buffer {
  const contents: Contents = { directories: [], files: [] }
  const bodies: Buffer[] = []
  for (const path of readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort()) {
    if (statSync(join(directory, path)).isDirectory()) contents.directories.push(path)
    else {
      const body = readFileSync(join(directory, path))
      contents.files.push({ path, size: body.length })
      bodies.push(body)
    }
  }
  const table = Buffer.from(JSON.stringify(contents))
  const length = Buffer.alloc(4)
  length.writeUInt32BE(table.length)
  return brotliCompressSync(Buffer.concat([length, table, ...bodies]), {
    // Quality 9 packs as well as 11 here to within a tenth, in a fifteenth of the time; a window of 16 MB spans the lot.
    params: { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_LGWIN]: 24 },
  })
}

/**
 * Fills `directory`, which is made, from a packed template. For a worker: it blocks for about 60 ms, where 300 small
 * writes through Node's thread pool take three times as long.
 */
export function unpackTemplate(template: string, directory: string): void {
  const packed = brotliDecompressSync(readFileSync(template), { chunkSize: CHUNK_BYTES })
  const length = packed.readUInt32BE(0)
  const contents = readContents(packed.subarray(4, 4 + length).toString())
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  for (const path of contents.directories) mkdirSync(join(directory, path), { mode: 0o700 })
  let at = 4 + length
  for (const { path, size } of contents.files) {
    writeFileSync(join(directory, path), packed.subarray(at, at + size), { mode: 0o600 })
    at += size
  }
}

function readContents(text: string): Contents {
  const contents: Contents = JSON.parse(text)
  return contents
}

/**
 * The engine's command line.
 *
 * `shared_buffers` of 1 MB instead of 128 MB is what makes ten databases fit in memory (140 MB less each, measured);
 * the log is kept small since it is checkpointed by the session and does not count as the user's data.
 *
 * @param statementTimeoutMs shown to the user; the engine itself has no timers that fire
 */
export function startParameters(statementTimeoutMs: number): string[] {
  const settings = {
    shared_buffers: '1MB',
    max_wal_size: '8MB',
    min_wal_size: '2MB',
    // PostgreSQL's own default; the engine's differs.
    search_path: '"$user", public',
    statement_timeout: String(statementTimeoutMs),
  }
  return [...PGlite.defaultStartParams, ...Object.entries(settings).flatMap(([k, v]) => ['-c', `${k}=${v}`])]
}
