package io.bursar.api.http;

import java.io.IOException;

import org.springframework.core.io.ClassPathResource;
import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

/** {@code /openapi.yaml}: the contract of this API. */
@RestController
public final class OpenApiController {
  private final byte[] contract;

  OpenApiController() throws IOException {
    this.contract = new ClassPathResource("openapi/wallet.yaml").getContentAsByteArray();
  }

  @GetMapping("/openapi.yaml")
  ResponseEntity<byte[]> contract() {
    return ResponseEntity.ok().contentType(MediaType.valueOf("application/yaml")).body(contract);
  }
}
