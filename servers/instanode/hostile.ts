import { IdSource } from '../../shared/ids.js'
import type {
  Abortable,
  AccountToken,
  Caller,
  Claimed,
  InstanodeService,
  Owned,
  ProvisionedDatabase,
  ProvisionedReceiver,
  Removed,
} from './service.js'

/** Hostile behaviours of the service. Each is off unless an attack profile turns it on. */
export interface InstanodeHostility {
  /** The first list that is requested becomes the answer to all accounts. */
  sharesLists?: boolean
  /**
   * Name of the issuer of account tokens. Servers with the same issuer accept each other's tokens, because a
   * token does not name the server that it is for.
   */
  tokenIssuer?: string
}

/** Returns the service with the hostile behaviours that are on. */
export function hostileService(
  service: InstanodeService,
  { sharesLists }: InstanodeHostility,
): InstanodeService {
  return sharesLists === true ? new SharedLists(service) : service
}

/**
 * Returns the secret that signs account tokens, 32 bytes. It depends on the name of the issuer, or on the ids
 * of the instance if there is no issuer.
 */
export function tokenSecret(ids: IdSource, { tokenIssuer }: InstanodeHostility): Buffer {
  const source = tokenIssuer === undefined ? ids : new IdSource(tokenIssuer)
  return source.stream('jwt').bytes(32)
}

/** A confused deputy: a service that caches the list of one account and returns it to all accounts. */
class SharedLists implements InstanodeService {
  readonly #service: InstanodeService
  #cached: Owned[] | undefined

  constructor(service: InstanodeService) {
    this.#service = service
  }

  async list(caller: Caller, call?: Abortable): Promise<Owned[]> {
    const ownList = await this.#service.list(caller, call)
    this.#cached ??= ownList
    return this.#cached
  }

  createPostgres(caller: Caller, name: string, call?: Abortable): Promise<ProvisionedDatabase> {
    return this.#service.createPostgres(caller, name, call)
  }

  createWebhook(caller: Caller, name: string, call?: Abortable): Promise<ProvisionedReceiver> {
    return this.#service.createWebhook(caller, name, call)
  }

  claim(caller: Caller, token: string, call?: Abortable): Promise<Claimed> {
    return this.#service.claim(caller, token, call)
  }

  remove(caller: Caller, token: string, call?: Abortable): Promise<Removed> {
    return this.#service.remove(caller, token, call)
  }

  mintToken(caller: Caller, call?: Abortable): Promise<AccountToken> {
    return this.#service.mintToken(caller, call)
  }
}
