// Reads card.alerts. org.apache.kafka:kafka-clients and com.fasterxml.jackson.core:jackson-databind
import com.fasterxml.jackson.databind.*;
import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.common.serialization.StringDeserializer;

public class Alerts {
  public static void main(String[] arguments) throws Exception {
    var env = System.getenv();
    var settings = new HashMap<String, Object>(Map.of(
        "bootstrap.servers", env.getOrDefault("KAFKA_BROKERS", "127.0.0.1:9092"),
        "group.id", env.getOrDefault("GROUP", "alerts-by-mail"),
        "isolation.level", "read_committed", // what was aborted has not happened
        "enable.auto.commit", "false", // an offset is committed when the work is done
        "auto.offset.reset", "earliest", // a new group misses nothing
        "session.timeout.ms", 10_000)); // after a crash another goes on so soon
    var json = new ObjectMapper();
    var done = new HashSet<String>(); // in earnest: a unique column, written in one transaction with the work
    try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
      consumer.subscribe(List.of(env.getOrDefault("TOPIC", "card.alerts")));
      while (true) {
        for (var message : consumer.poll(Duration.ofSeconds(1))) {
          JsonNode event = json.readTree(message.value()), data = event.get("data");
          if (done.add(event.get("id").asText())) {
            System.out.println(event.get("subject").asText() + " " + event.get("type").asText() + " "
                + data.get("rule").asText() + " " + data.get("remaining")); // the work
          }
        }
        consumer.commitSync();
      }
    }
  }
}
