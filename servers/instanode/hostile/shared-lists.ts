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
} from '../service.js'

/** A service that caches a list without asking whose it is: the deputy that confuses its callers. */
export class SharedLists implements InstanodeService {
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
