import type { Clock } from '../../../shared/clock/clock.js'
import type { RwLock } from '../../../shared/util/locks.js'
import { isObject } from '../../../shared/util/objects.js'
import { inStandardAlphabet, isBase64Of, type PublicKeys } from './keys.js'
import { HANDLE, type Identity } from './model.js'
import { ServiceRefusal } from './refusals.js'
import { SIGNATURE_BYTES, type Signatures } from './signatures.js'
import type { SafebotStore } from './store.js'

/** Length of a public key in bytes. */
const KEY_BYTES = 32

/** Maximum length of the public description, in UTF-16 units. The service's number. */
const MAX_BIO_CHARS = 280

/** Handles that the service does not register. */
const RESERVED = ['anon', 'admin', 'safebot', 'system', 'root', 'support', 'help', 'demo', 'echo']

/** The fields of a registration request before they are checked. */
export interface Registration {
  handle: unknown
  boxPub: unknown
  signPub: unknown
  ts: unknown
  sig: unknown
  meta: unknown
}

/** The handle and the public keys of a request, after they have been checked. */
interface CheckedRegistration {
  handle: string
  boxPub: string
  signPub: string
}

export interface IdentitiesOptions {
  store: SafebotStore
  clock: Clock
  keys: PublicKeys
  signatures: Signatures
  /** Maximum number of registered handles. */
  cap: number
  lock: RwLock
}

/** Registers handles. A handle belongs to the key that registered it first. */
export class Identities {
  readonly #options: IdentitiesOptions

  constructor(options: IdentitiesOptions) {
    this.#options = options
  }

  /**
   * Registers a handle. If the same key has registered the handle before, returns the registered values
   * unchanged.
   *
   * @throws ServiceRefusal 400, 401, 409 or 503. The checks have the order of the real service.
   */
  register(request: Registration): Promise<Identity> {
    return this.#options.lock.shared(() => this.#register(request))
  }

  async #register(request: Registration): Promise<Identity> {
    const { store, clock, cap } = this.#options
    if ((await store.identityCount()) >= cap) throw capReached(cap)
    const checked = checkRegistration(request)
    const known = await store.identity(checked.handle)
    if (known !== undefined) return this.#confirm(known, checked, request)
    await this.#checkSignature(checked, request)
    const identity: Identity = {
      ...checked,
      registeredAt: clock.now(),
      meta: isObject(request.meta) ? { bio: toText(request.meta.bio).slice(0, MAX_BIO_CHARS) } : {},
    }
    // False if a concurrent request has registered the handle since the lookup above.
    if (!(await store.addIdentity(identity))) throw handleTaken(checked.handle)
    return identity
  }

  /**
   * Returns a registered identity to its owner. As in the real service, a bad signature and another key give
   * the same refusal, `handle taken`.
   */
  async #confirm(known: Identity, checked: CheckedRegistration, request: Registration): Promise<Identity> {
    if (known.signPub !== checked.signPub) throw handleTaken(known.handle)
    try {
      await this.#checkSignature(checked, request)
    } catch (error) {
      throw error instanceof ServiceRefusal ? handleTaken(known.handle) : error
    }
    return known
  }

  async #checkSignature(
    { handle, boxPub, signPub }: CheckedRegistration,
    { ts, sig }: Registration,
  ): Promise<void> {
    if (typeof ts !== 'number' || sig === undefined || sig === null || sig === '') {
      throw refusal(
        400,
        'register_ts and register_sig required',
        'send register_ts as a number of milliseconds since the epoch',
      )
    }
    if (!isBase64Of(SIGNATURE_BYTES, sig)) {
      throw refusal(400, 'bad register_sig', `send canonical base64 of ${SIGNATURE_BYTES} bytes`)
    }
    const { keys, signatures } = this.#options
    if (!signatures.isFresh(ts)) {
      throw refusal(
        400,
        'register_ts skew too large',
        'sign with a time that differs from the service by at most 60 s',
      )
    }
    const valid = keys.verifies(signPub, `register ${handle} ${ts} ${boxPub} ${signPub}`, sig)
    // The signature is its own nonce. In another base64 alphabet it is still the same signature.
    const nonce = inStandardAlphabet(sig)
    if (valid && (await signatures.useNonce('registrations', { owner: handle, nonce, ts }))) return
    if (valid) throw refusal(401, 'register_sig already used', 'sign again with the current time')
    throw refusal(401, 'bad register_sig', 'sign "register <handle> <ts> <box_pub> <sign_pub>" with sign_pub')
  }
}

function checkRegistration({ handle: rawHandle, boxPub, signPub }: Registration): CheckedRegistration {
  const handle = toText(singleElement(rawHandle))
  if (!HANDLE.test(handle)) {
    throw refusal(
      400,
      'invalid handle',
      'use 2 to 32 characters of a-z 0-9 _ -, the first one a letter or a digit',
    )
  }
  if (RESERVED.includes(handle)) throw refusal(409, 'handle reserved', `use another handle than "${handle}"`)
  if (!isBase64Of(KEY_BYTES, boxPub) || !isBase64Of(KEY_BYTES, signPub)) {
    throw refusal(
      400,
      'box_pub and sign_pub must be base64 of 32 bytes',
      'send both keys as canonical base64 with padding',
    )
  }
  return { handle, boxPub, signPub }
}

/**
 * Converts a JSON value to text as the real service does. Null, false, 0 and lists become an empty text,
 * objects become `[object Object]`.
 */
function toText(value: unknown): string {
  if (!value || Array.isArray(value)) return ''
  return isObject(value) ? '[object Object]' : String(value)
}

/**
 * Returns the only element of a list, or of nested lists. Returns any other value unchanged, and undefined
 * for a list with another number of elements. The real service accepts a handle in a list, too.
 */
function singleElement(value: unknown): unknown {
  let element = value
  while (Array.isArray(element)) element = element.length === 1 ? element[0] : undefined
  return element
}

function handleTaken(handle: string): ServiceRefusal {
  return refusal(409, 'handle taken', `"${handle}" belongs to another key: use another handle`)
}

function capReached(cap: number): ServiceRefusal {
  return new ServiceRefusal(
    503,
    { error: 'identity cap reached' },
    `all ${cap} handles are registered: try again later`,
    3600,
  )
}

function refusal(status: number, error: string, hint: string): ServiceRefusal {
  return new ServiceRefusal(status, { error }, hint)
}
