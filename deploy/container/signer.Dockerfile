# The signer and nothing else: no shell, no tools. After `deploy/bursar build`, from the top of the checkout:
#   docker build -f deploy/container/signer.Dockerfile -t bursar-signer .
FROM eclipse-temurin:25-jdk AS made
COPY wallet-signer/target/wallet-signer.jar wallet-signer/target/lib/*.jar /jars/
COPY deploy/container/collect /collect
RUN ["/bin/sh", "/collect", "/opt/java/openjdk", "/jars", "/image"]

FROM scratch
COPY --from=made /image /
USER 10001:10001
# What the signer's README says of each flag.
ENTRYPOINT ["/jre/bin/java", "-Xms16m", "-Xmx192m", "-XX:+UseSerialGC", "-XX:TrimNativeHeapInterval=5000", "-XX:+DisableAttachMechanism", \
  "-XX:-HeapDumpOnOutOfMemoryError", "-XX:+ExitOnOutOfMemoryError", "-XX:-UsePerfData", "-XX:+SuppressFatalErrorMessage", \
  "--enable-native-access=ALL-UNNAMED", "-cp", "/app/*", "io.bursar.signer.SignerMain"]
CMD ["--help"]
