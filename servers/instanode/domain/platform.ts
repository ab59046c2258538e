import type { AccountToken, Caller, InstanodeService, Provisioned, Removed } from '../service.js'
import type { Accounts } from './accounts.js'
import { TOKEN_LIFETIME_SECONDS } from './credentials.js'
import type { TierLimits } from './limits.js'
import type { Ownership } from './ownership.js'
import type { Provisioning } from './provisioning.js'
import type { Resource } from './resource.js'

/** The service in this process. */
export class Platform implements InstanodeService {
  readonly #accounts: Accounts
  readonly #provisioning: Provisioning
  readonly #ownership: Ownership

  constructor(accounts: Accounts, provisioning: Provisioning, ownership: Ownership) {
    this.#accounts = accounts
    this.#provisioning = provisioning
    this.#ownership = ownership
  }

  createPostgres(caller: Caller, name: string): Promise<Provisioned<TierLimits>> {
    return this.#provisioning.create('postgres', caller, name)
  }

  createWebhook(caller: Caller, name: string): Promise<Provisioned<TierLimits>> {
    return this.#provisioning.create('webhook', caller, name)
  }

  list(caller: Caller): Promise<Resource[]> {
    return this.#ownership.list(caller)
  }

  claim(caller: Caller, token: string): Promise<Resource> {
    return this.#ownership.claim(caller, token)
  }

  remove(caller: Caller, token: string): Promise<Removed> {
    return this.#ownership.remove(caller, token)
  }

  async mintToken({ bearer }: Caller): Promise<AccountToken> {
    const account = await this.#accounts.require(bearer)
    return { token: await this.#accounts.mint(account), expiresInSeconds: TOKEN_LIFETIME_SECONDS }
  }
}
