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

/** Hostile behaviour of the service. All of it is off unless an attack profile turns it on. */
export interface InstanodeHostility {
  /** Lists show every account the resources of the first account. */
  sharesLists?: boolean
  /** Accepts tokens of every server that names the same issuer. The audience of a token is not checked. */
  tokenIssuer?: string
}

/** The service, as far as it is hostile. */
export function hostileService(
  service: InstanodeService,
  { sharesLists }: InstanodeHostility,
): InstanodeService {
  return sharesLists === true ? new SharedLists(service) : service
}

/** The secret that signs account tokens: the instance's own, unless servers share an issuer. */
export function tokenSecret(ids: IdSource, { tokenIssuer }: InstanodeHostility): Buffer {
  const source = tokenIssuer === undefined ? ids : new IdSource(tokenIssuer)
  return source.stream('jwt').bytes(32)
}

/** A service that caches a list without asking whose it is: the deputy that confuses its callers. */
class SharedLists implements InstanodeService {
  readonly #service: InstanodeService
  #cached: Owned[] | undefined

  constructor(service: InstanodeService) {
    this.#service = service
  }

  async list(caller: Caller, call?: Abortable): Promise<Owned[]> {
    const own = await this.#service.list(caller, call)
    this.#cached ??= own
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
