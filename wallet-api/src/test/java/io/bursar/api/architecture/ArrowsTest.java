package io.bursar.api.architecture;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noFields;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import org.junit.jupiter.api.Test;
import org.springframework.beans.factory.annotation.Autowired;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;

/** The only arrows allowed, inside the modules and between them. */
class ArrowsTest {
  private static final JavaClasses CLASSES = new ClassFileImporter()
      .withImportOption(new ImportOption.DoNotIncludeTests())
      .importPackages("io.bursar");

  private static final String[] KERNEL = {"io.bursar.money..", "io.bursar.json..", "io.bursar.spend..",
      "io.bursar.policy..", "io.bursar.rehearsal..",
      "io.bursar.permit..", "io.bursar.log.."};

  @Test
  void theKernelKnowsNobody() {
    noClasses().that().resideInAnyPackage(KERNEL).should().dependOnClassesThat().resideInAnyPackage("io.bursar.store..",
        "io.bursar.signer..", "io.bursar.api..", "org.springframework..", "java.sql..", "java.net..", "java.nio.file..")
        .check(CLASSES);
  }

  @Test
  void theKernelReadsNoClock() {
    noClasses().that().resideInAnyPackage(KERNEL).should().callMethod(java.time.Instant.class, "now").orShould()
        .callMethod(System.class, "currentTimeMillis").orShould().callMethod(System.class, "nanoTime").check(CLASSES);
  }

  @Test
  void storeAndSignerAreStrangersAndNeitherKnowsTheApi() {
    noClasses().that().resideInAPackage("io.bursar.store..").should().dependOnClassesThat()
        .resideInAnyPackage("io.bursar.signer..", "io.bursar.api..").check(CLASSES);
    noClasses().that().resideInAPackage("io.bursar.signer..").should().dependOnClassesThat()
        .resideInAnyPackage("io.bursar.store..", "io.bursar.api..", "org.springframework..", "java.sql..",
            "java.net.http..")
        .check(CLASSES);
    noClasses().that().resideInAPackage("io.bursar.api..").should().dependOnClassesThat()
        .resideInAPackage("io.bursar.signer..")
        .check(CLASSES);
  }

  /** An auditor's program shares nothing with the service but the language of money and rules. */
  @Test
  void theVerifierKnowsTheKernelAlone() {
    noClasses().that().resideInAPackage("io.bursar.verify..").should().dependOnClassesThat()
        .resideInAnyPackage("io.bursar.store..", "io.bursar.signer..", "io.bursar.api..", "org.springframework..",
            "java.sql..")
        .check(CLASSES);
    noClasses().that().resideOutsideOfPackage("io.bursar.verify..").should().dependOnClassesThat()
        .resideInAPackage("io.bursar.verify..").check(CLASSES);
  }

  @Test
  void theRequestPathAndTheMoneyPathDoNotKnowEachOther() {
    noClasses().that()
        .resideInAnyPackage("io.bursar.api.spends..", "io.bursar.api.approvals..", "io.bursar.api.policies..").should()
        .dependOnClassesThat()
        .resideInAnyPackage("io.bursar.api.settlement..", "io.bursar.api.chain..", "io.bursar.api.signer..")
        .check(CLASSES);
    noClasses().that()
        .resideInAnyPackage("io.bursar.api.settlement..", "io.bursar.api.chain..", "io.bursar.api.signer..").should()
        .dependOnClassesThat().resideInAnyPackage("io.bursar.api.spends..", "io.bursar.api.http..").check(CLASSES);
  }

  @Test
  void noPackagesInCircles() {
    slices().matching("io.bursar.api.(*)..").should().beFreeOfCycles().check(CLASSES);
    slices().matching("io.bursar.(*)..").should().beFreeOfCycles().check(CLASSES);
  }

  @Test
  void nothingIsInjectedIntoFields() {
    noFields().should().beAnnotatedWith(Autowired.class).check(CLASSES);
  }
}
