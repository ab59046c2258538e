import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { link, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { Refusal } from '../../../shared/errors.js'
import type { IdSource } from '../../../shared/ids.js'
import { FileError, readRegularFile } from '../../../shared/util/read-file.js'
import { looseHandle } from '../domain/model.js'

/** Bytes of one secret key. */
const SECRET_BYTES = 32

/** Bytes of the secrets of an identity: the X25519 key, then the seed of the Ed25519 key. */
export const SECRETS_BYTES = 2 * SECRET_BYTES

/** Prefixes that turn 32 secret bytes into a PKCS #8 key (RFC 8410). */
const PKCS8 = {
  x25519: Buffer.from('302e020100300506032b656e04220420', 'hex'),
  ed25519: Buffer.from('302e020100300506032b657004220420', 'hex'),
} as const

/** A handle and its keys. */
export class IdentityKeys {
  /** Base64 of an X25519 key. */
  readonly boxPub: string
  /** Base64 of an Ed25519 key. */
  readonly signPub: string
  readonly #signing: KeyObject

  /** @param secrets {@link SECRETS_BYTES} bytes */
  constructor(
    readonly handle: string,
    secrets: Buffer,
  ) {
    this.boxPub = publicOf(privateKey('x25519', secrets.subarray(0, SECRET_BYTES)))
    this.#signing = privateKey('ed25519', secrets.subarray(SECRET_BYTES))
    this.signPub = publicOf(this.#signing)
  }

  /** Signs a text. Returns base64. */
  sign(text: string): string {
    return sign(null, Buffer.from(text), this.#signing).toString('base64')
  }
}

/**
 * The keys of this process's agents, by handle. Keys that no file holds are created when they are first
 * needed, and end with the process. The same seed creates the same keys.
 */
export class Keyring {
  readonly #ids: IdSource
  readonly #keys = new Map<string, IdentityKeys>()

  constructor(ids: IdSource) {
    this.#ids = ids
  }

  of(handle: string): IdentityKeys {
    const keys =
      this.#keys.get(handle) ?? new IdentityKeys(handle, this.#ids.stream(handle).bytes(SECRETS_BYTES))
    this.#keys.set(handle, keys)
    return keys
  }

  /** Adds keys that a file holds. */
  add(keys: IdentityKeys): void {
    this.#keys.set(keys.handle, keys)
  }
}

function privateKey(kind: keyof typeof PKCS8, secret: Buffer): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8[kind], secret]), format: 'der', type: 'pkcs8' })
}

function publicOf(key: KeyObject): string {
  const { x = '' } = createPublicKey(key).export({ format: 'jwk' })
  return Buffer.from(x, 'base64url').toString('base64')
}

/** The file names of the real client. */
const HANDLE_FILE = 'mcp_identity.json'

const KEY_FILE = 'mcp_identity.key'

const handleFile = z.object({ handle: z.string().transform((text, context) => readHandle(text, context)) })

export interface IdentityFiles {
  /** The folder, such as `~/.config/safebot`. It is created when it is needed. */
  folder: string
  ids: IdSource
  /** Milliseconds since the epoch. */
  now(): number
}

/**
 * Opens the identity in a folder: a handle and 64 bytes of secrets. Missing parts are created. Existing files
 * are never changed.
 *
 * Each file is written at once and by one process only, the file of the handle first. So two processes that
 * start together get the same identity, and an incomplete identity is completed by the next process.
 *
 * @param handle the handle if the folder has none
 * @throws Refusal `identity_damaged`, or `identity_unreachable` if the folder cannot be read or written
 */
export async function openIdentity(files: IdentityFiles, handle: string): Promise<IdentityKeys> {
  try {
    await mkdir(files.folder, { recursive: true, mode: 0o700 })
    const named = await readOrMake(files, HANDLE_FILE, () =>
      Buffer.from(`${JSON.stringify({ handle, created: files.now() })}\n`),
    )
    const secrets = await readOrMake(files, KEY_FILE, () => files.ids.bytes(SECRETS_BYTES))
    return new IdentityKeys(handleIn(named, files), checked(secrets, files))
  } catch (error) {
    if (error instanceof Refusal) throw error
    const why = error instanceof Error ? error.message : String(error)
    throw new Refusal(
      'identity_unreachable',
      `the identity in ${files.folder} cannot be read or made (${why})`,
      'set HOME to a folder that this user can write to',
    )
  }
}

async function readOrMake(files: IdentityFiles, name: string, make: () => Buffer): Promise<Buffer> {
  const path = join(files.folder, name)
  const known = read(path)
  if (known !== undefined) return known
  const draft = join(files.folder, `.${name}-${process.pid}-${files.ids.hex(8)}`)
  try {
    await writeFile(draft, make(), { mode: 0o600, flag: 'wx' })
    await link(draft, path)
  } catch (error) {
    // Another process was faster. Its file is equally valid.
    if (!isCode(error, 'EEXIST')) throw error
  } finally {
    await rm(draft, { force: true })
  }
  return readRegularFile(path)
}

function read(path: string): Buffer | undefined {
  try {
    return readRegularFile(path)
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined
    throw error instanceof FileError ? damaged(path, error.message) : error
  }
}

function handleIn(bytes: Buffer, { folder }: IdentityFiles): string {
  try {
    return handleFile.parse(JSON.parse(bytes.toString('utf8'))).handle
  } catch {
    throw damaged(join(folder, HANDLE_FILE), 'it holds no {"handle": …}')
  }
}

function checked(secrets: Buffer, { folder }: IdentityFiles): Buffer {
  if (secrets.length === SECRETS_BYTES) return secrets
  throw damaged(join(folder, KEY_FILE), `it has ${secrets.length} bytes, not ${SECRETS_BYTES}`)
}

function damaged(path: string, why: string): Refusal {
  return new Refusal(
    'identity_damaged',
    `the identity file ${path} is damaged: ${why}`,
    `put back a copy of it, or move ${HANDLE_FILE} and ${KEY_FILE} away to begin anew under another handle`,
  )
}

function readHandle(text: string, context: z.core.$RefinementCtx): string {
  const handle = looseHandle(text)
  if (handle !== undefined) return handle
  context.addIssue('no handle')
  return z.NEVER
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
