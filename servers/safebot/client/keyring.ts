import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { link, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { Refusal } from '../../../shared/errors.js'
import type { IdSource } from '../../../shared/ids.js'
import { FileError, readRegularFile } from '../../../shared/util/read-file.js'
import { looseHandle } from '../domain/model.js'

/** Length of one secret key in bytes. */
const SECRET_BYTES = 32

/** Length of an identity's secrets in bytes: the X25519 key, then the seed of the Ed25519 key. */
export const SECRETS_BYTES = 2 * SECRET_BYTES

/** PKCS #8 headers that precede the 32 bytes of a secret key (RFC 8410). */
const PKCS8 = {
  x25519: Buffer.from('302e020100300506032b656e04220420', 'hex'),
  ed25519: Buffer.from('302e020100300506032b657004220420', 'hex'),
} as const

/** A handle and its two key pairs. */
export class IdentityKeys {
  /** Base64 of the X25519 public key. */
  readonly boxPub: string
  /** Base64 of the Ed25519 public key. */
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

  /** Signs a text with the Ed25519 key. Returns the signature in base64. */
  sign(text: string): string {
    return sign(null, Buffer.from(text), this.#signing).toString('base64')
  }
}

/**
 * Stores the keys of this process's agents, by handle. A handle without an identity file gets keys when they
 * are first needed. These keys are lost when the process ends. The same seed creates the same keys.
 */
export class Keyring {
  readonly #ids: IdSource
  readonly #keys = new Map<string, IdentityKeys>()

  constructor(ids: IdSource) {
    this.#ids = ids
  }

  /** Returns the keys of a handle, and creates them if there are none. */
  keysOf(handle: string): IdentityKeys {
    const keys =
      this.#keys.get(handle) ?? new IdentityKeys(handle, this.#ids.stream(handle).bytes(SECRETS_BYTES))
    this.#keys.set(handle, keys)
    return keys
  }

  /** Adds the keys of an identity file. They replace the keys of the same handle. */
  add(keys: IdentityKeys): void {
    this.#keys.set(keys.handle, keys)
  }
}

function privateKey(kind: keyof typeof PKCS8, secret: Buffer): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8[kind], secret]), format: 'der', type: 'pkcs8' })
}

/** Returns the raw public key in base64. */
function publicOf(key: KeyObject): string {
  const { x = '' } = createPublicKey(key).export({ format: 'jwk' })
  return Buffer.from(x, 'base64url').toString('base64')
}

/** File of the handle. The real client uses the same name. */
const HANDLE_FILE = 'mcp_identity.json'

/** File of the secrets. The real client uses the same name. */
const KEY_FILE = 'mcp_identity.key'

const handleFile = z.object({ handle: z.string().transform((text, context) => readHandle(text, context)) })

export interface IdentityFiles {
  /** The folder, such as `~/.config/safebot`. {@link openIdentity} creates it if it is missing. */
  folder: string
  /** Source of new secrets. */
  ids: IdSource
  /** Returns the time of creation for a new identity, in milliseconds since the epoch. */
  now(): number
}

/**
 * Loads the identity in a folder: a handle and 64 bytes of secrets. Creates the folder and the files that are
 * missing. Never changes an existing file.
 *
 * The file of the handle is created before the file of the secrets. Each file is created atomically, and only
 * one process can create it. So two processes that start together load the same identity. If a process stops
 * between the two files, the next process creates the second one.
 *
 * @param handle the handle of a new identity. Ignored if the folder has one
 * @throws Refusal `identity_damaged`, or `identity_unreachable` if the folder cannot be read or written
 */
export async function openIdentity(files: IdentityFiles, handle: string): Promise<IdentityKeys> {
  try {
    await mkdir(files.folder, { recursive: true, mode: 0o700 })
    const handleJson = await readOrCreate(files, HANDLE_FILE, () =>
      Buffer.from(`${JSON.stringify({ handle, created: files.now() })}\n`),
    )
    const secrets = await readOrCreate(files, KEY_FILE, () => files.ids.bytes(SECRETS_BYTES))
    return new IdentityKeys(parseHandle(handleJson, files), checkLength(secrets, files))
  } catch (error) {
    if (error instanceof Refusal) throw error
    const why = error instanceof Error ? error.message : String(error)
    throw new Refusal(
      'identity_unreachable',
      `the identity in ${files.folder} cannot be read or created (${why})`,
      'set HOME to a folder that this user can write to',
    )
  }
}

async function readOrCreate(files: IdentityFiles, name: string, make: () => Buffer): Promise<Buffer> {
  const path = join(files.folder, name)
  const known = readIfPresent(path)
  if (known !== undefined) return known
  const draft = join(files.folder, `.${name}-${process.pid}-${files.ids.hex(8)}`)
  try {
    await writeFile(draft, make(), { mode: 0o600, flag: 'wx' })
    await link(draft, path)
  } catch (error) {
    // Another process has created the file in the meantime. This process then reads that file.
    if (!hasCode(error, 'EEXIST')) throw error
  } finally {
    await rm(draft, { force: true })
  }
  return readRegularFile(path)
}

function readIfPresent(path: string): Buffer | undefined {
  try {
    return readRegularFile(path)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error instanceof FileError ? identityDamaged(path, error.message) : error
  }
}

function parseHandle(bytes: Buffer, { folder }: IdentityFiles): string {
  try {
    return handleFile.parse(JSON.parse(bytes.toString('utf8'))).handle
  } catch {
    throw identityDamaged(join(folder, HANDLE_FILE), 'it is not JSON with a valid "handle"')
  }
}

function checkLength(secrets: Buffer, { folder }: IdentityFiles): Buffer {
  if (secrets.length === SECRETS_BYTES) return secrets
  throw identityDamaged(join(folder, KEY_FILE), `it has ${secrets.length} bytes instead of ${SECRETS_BYTES}`)
}

function identityDamaged(path: string, why: string): Refusal {
  return new Refusal(
    'identity_damaged',
    `the identity file ${path} is damaged: ${why}`,
    `restore it from a backup, or move ${HANDLE_FILE} and ${KEY_FILE} away to get a new identity`,
  )
}

function readHandle(text: string, context: z.core.$RefinementCtx): string {
  const handle = looseHandle(text)
  if (handle !== undefined) return handle
  context.addIssue('not a valid handle')
  return z.NEVER
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
