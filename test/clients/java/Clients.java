import java.io.PrintStream;
import java.net.URI;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Map;
import java.util.Properties;
import java.util.logging.LogManager;

/** pgjdbc, Flyway and Liquibase. Prints a line per check of the client that is the first argument. */
class Clients {
  interface Work {
    void run() throws Exception;
  }

  static final PrintStream results = System.out;
  static String client;
  static String version;

  static void check(String name, Work work) {
    String result = "ok";
    try {
      work.run();
    } catch (Exception error) {
      Throwable cause = error;
      while (cause.getCause() != null) cause = cause.getCause();
      result = String.valueOf(cause.getMessage()).strip().lines().findFirst().orElse(cause.toString());
    }
    results.println(String.join("\t", client, version, name, result));
  }

  static void same(Object got, Object wanted) {
    if (!got.equals(wanted)) throw new IllegalStateException("got " + got + " instead of " + wanted);
  }

  static Object value(Statement statement, String sql) throws SQLException {
    try (ResultSet rows = statement.executeQuery(sql)) {
      rows.next();
      return rows.getObject(1);
    }
  }

  public static void main(String[] args) throws Exception {
    LogManager.getLogManager().reset();
    // Liquibase reports its progress on stdout.
    System.setOut(System.err);
    client = args[0];
    Path folder = Path.of(args[1]);
    URI uri = URI.create(System.getenv("DATABASE_URL"));
    String[] login = uri.getUserInfo().split(":", 2);
    String url = "jdbc:postgresql://" + uri.getAuthority().split("@")[1] + uri.getPath();
    if (client.startsWith("Flyway")) flyway(folder, url, login);
    else if (client.equals("Liquibase")) liquibase(folder, url, login);
    else pgjdbc(url, login);
  }

  static void pgjdbc(String url, String[] login) throws Exception {
    version = org.postgresql.util.DriverInfo.DRIVER_VERSION;
    Properties properties = new Properties();
    properties.putAll(Map.of("user", login[0], "password", login[1], "prepareThreshold", "1"));
    Connection[] open = new Connection[1];
    check("connect", () -> open[0] = DriverManager.getConnection(url, properties));
    if (open[0] == null) return;
    try (Connection connection = open[0]; Statement statement = connection.createStatement()) {
      check("query", () -> same(value(statement, "SELECT 42"), 42));
      check("prepared statement", () -> {
        try (var prepared = connection.prepareStatement("SELECT ?::int + 1")) {
          for (int n = 1; n < 8; n++) {
            prepared.setInt(1, n);
            try (ResultSet rows = prepared.executeQuery()) {
              rows.next();
              same(rows.getInt(1), n + 1);
            }
          }
        }
      });
      check("transaction", () -> {
        connection.setAutoCommit(false);
        statement.execute("CREATE TABLE undone (n int)");
        connection.rollback();
        connection.setAutoCommit(true);
        same(value(statement, "SELECT to_regclass('undone') IS NULL"), true);
      });
      check("cancel", () -> {
        Thread thread = new Thread(() -> {
          try {
            Thread.sleep(500);
            statement.cancel();
          } catch (Exception error) {
            throw new IllegalStateException(error);
          }
        });
        thread.start();
        try {
          statement.execute("SELECT pg_sleep(30)");
          throw new IllegalStateException("no error instead of 57014");
        } catch (SQLException error) {
          same(error.getSQLState(), "57014");
        }
        thread.join();
      });
    }
  }

  static void flyway(Path folder, String url, String[] login) {
    version = org.flywaydb.core.internal.license.VersionPrinter.getVersion();
    String transactionalLock = client.endsWith("its defaults") ? "true" : "false";
    check("migrate", () -> {
      var flyway = org.flywaydb.core.Flyway.configure()
          .dataSource(url, login[0], login[1])
          .locations("filesystem:" + folder.resolve("migrations"))
          .configuration(Map.of("flyway.postgresql.transactional.lock", transactionalLock))
          .load();
      same(flyway.migrate().migrationsExecuted, 2);
      same(flyway.migrate().migrationsExecuted, 0);
      flyway.validate();
    });
  }

  static void liquibase(Path folder, String url, String[] login) {
    version = liquibase.util.LiquibaseUtil.getBuildVersion();
    check("migrate", () -> {
      var connection = DriverManager.getConnection(url, login[0], login[1]);
      var database = liquibase.database.DatabaseFactory.getInstance()
          .findCorrectDatabaseImplementation(new liquibase.database.jvm.JdbcConnection(connection));
      var files = new liquibase.resource.DirectoryResourceAccessor(folder.resolve("changelog"));
      try (var liquibase = new liquibase.Liquibase("changelog.sql", files, database)) {
        liquibase.update("");
        liquibase.update("");
        liquibase.rollback(2, "");
        liquibase.update("");
      }
    });
  }
}
